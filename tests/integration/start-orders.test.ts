import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { freePort, startProcess, tenTimesAsFast } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

/** How much faster the hive's clock goes. */
const factor = 10;

/** What both sides write from a moment on. */
function logsFrom(household: Household, hive: TestHive) {
  const paths = {
    queen: join(household.home, "logs", "queen.log"),
    hive: join(hive.home, "logs", "hive.log"),
  };
  const lines = (path: string) => readFileSync(path, "utf8").split("\n").slice(0, -1);
  const before = { queen: lines(paths.queen).length, hive: lines(paths.hive).length };
  return {
    queen: () => lines(paths.queen).slice(before.queen),
    hive: () => lines(paths.hive).slice(before.hive),
  };
}

describe("queen and hive find each other", { timeout: 60_000 }, () => {
  let household: Household;
  let hive: TestHive;
  let logs: ReturnType<typeof logsFrom>;
  beforeEach(async () => {
    household = await startHousehold({ localHive: false });
    hive = await joinedHive(household, "attic", tenTimesAsFast);
  }, 30_000);
  afterEach(async () => {
    await hive.stop();
    await household.stop();
  });

  const reports = async () => {
    const asked = Date.now();
    return waitFor("a heartbeat", async () => {
      const [found] = (await household.fleet()).hives;
      return found?.health === "healthy" && (found.last_seen_at ?? 0) > asked ? found : undefined;
    });
  };
  const bothAreQuiet = () => {
    for (const side of [logs.queen(), logs.hive()]) {
      expect(side.length, side.join("\n")).toBeGreaterThan(0);
      expect(side.length, side.join("\n")).toBeLessThan(10);
    }
  };

  it("when the hive starts first", async () => {
    await Promise.all([hive.process.stop(), household.queen.stop()]);
    logs = logsFrom(household, hive);
    await hive.start();
    await household.restartQueen();
    await reports();
    bothAreQuiet();
  });

  it("when the queen starts first", async () => {
    await hive.process.stop();
    await household.queen.stop();
    logs = logsFrom(household, hive);
    await household.restartQueen();
    await hive.start();
    await reports();
    bothAreQuiet();
  });

  it("when both start at once", async () => {
    await Promise.all([hive.process.stop(), household.queen.stop()]);
    logs = logsFrom(household, hive);
    await Promise.all([household.restartQueen(), hive.start()]);
    await reports();
    bothAreQuiet();
  });

  it("after the queen was away for a minute, when the hive has given up looking for her", async () => {
    logs = logsFrom(household, hive);
    await household.queen.stop();
    const leftAt = performance.now();
    await waitFor("the hive gives up", () =>
      logs.hive().some((line) => line.includes("waiting for the queen to call")),
    );
    await waitFor("a minute of the hive's", () => performance.now() - leftAt > 60_000 / factor);
    const silent = logs.hive().length;
    await household.restartQueen();
    await reports();
    // What it lost, that it gave up, and that it reports again.
    expect(silent).toBeLessThanOrEqual(2);
    bothAreQuiet();
  });

  it("after the hive's address has changed", async () => {
    logs = logsFrom(household, hive);
    const port = await freePort();
    await hive.process.stop();
    const moved = startProcess(["packages/hive/bin/rbee-hive.js", "--name", "attic", "--port", String(port)], {
      RBEE_HIVE_HOME: hive.home,
      RBEE_HIVE_HOST: "127.0.0.1",
      RBEE_MDNS: "false",
    });
    try {
      const found = await waitFor("a heartbeat from the new address", async () =>
        (await household.fleet()).hives.find(
          ({ address, health }) => health === "healthy" && address?.endsWith(`:${port}`),
        ),
      );
      expect((await household.admin.discoverHives()).data).toMatchObject([{ hive_id: found.hive_id, reachable: true }]);
      bothAreQuiet();
    } finally {
      await moved.stop();
    }
  });
});
