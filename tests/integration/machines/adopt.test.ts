import type { FleetHive } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec, type SshConnection } from "../../../src/lib/server/provisioning/ssh/index.ts";
import type { Household } from "../../support/household.ts";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { waitFor } from "../../support/wait-for.ts";

const skipped = whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`;
const program = '"$HOME/.local/share/rbee/hive/current/bin/rbee-hive"';

describe.skipIf(whyNoNamespaces !== null)(`a hive that runs already${skipped}`, { timeout: 120_000 }, () => {
  let place: Installing;
  let household: Household;
  let attic: SshHost;
  let there: SshConnection;
  beforeAll(async () => {
    place = await startInstalling({ env: { RBEE_DISCOVERY_DELAY: "600" } });
    household = place.household;
    attic = await place.machine("attic");
    there = await place.ssh.connect(attic);
  }, 60_000);
  afterAll(() => place.stop());

  const adopt = (target: string, port = 7835) => place.run({ operation: "hive_adopt", target, hive_port: port });
  const nearby = async (name: string) =>
    (await household.admin.nearbyMachines()).data.find((machine) => machine.name === name);
  const fleet = async (): Promise<FleetHive[]> => (await household.fleet()).hives;
  const hiveIdOf = (): string => {
    const [hive] = found;
    if (hive === undefined) throw new Error("no hive was adopted yet");
    return hive;
  };
  const found: string[] = [];
  /** Ends every hive of that machine and waits until nothing answers there. */
  const endHive = async () => {
    await exec(
      there,
      "for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q 'packages/hive/[b]in'; then kill ${p#/proc/}; fi; done; :",
    );
    await waitFor("the end of the hive", async () =>
      attic.processes().every((command) => !command.includes("packages/hive/bin")),
    );
  };

  it("is asked for in vain where nothing is installed", async () => {
    const { result } = await adopt("attic");
    expect(result).toMatchObject({
      status: "failed",
      error: {
        code: "hive_unreachable",
        message: expect.stringContaining("vince has no hive on attic: there is no hive.json."),
        suggestion: expect.stringContaining("rbee hive install attic"),
      },
    });
    expect(await fleet()).toEqual([]);
  });

  it("is found nearby when the queen has lost what she knew, and asked for nothing", async () => {
    const installed = await place.install("attic");
    expect(installed.result, installed.text).toMatchObject({ status: "succeeded" });
    const [hive] = await fleet();
    if (hive === undefined) throw new Error("the installed hive is not in the fleet");
    found.push(hive.hive_id);
    await household.admin.removeHive({ params: { id: hive.hive_id } });
    await household.admin.removeBeehive({ params: { name: "attic" } });
    expect(await fleet()).toEqual([]);
    const told = await place.run({ operation: "hive_discover" });
    expect(told.result).toMatchObject({ status: "succeeded", data: { reachable: 0, nearby: 1 } });
    expect(told.text).toContain("not_adopted: attic has a hive on port 7835");
    expect(await nearby("attic")).toMatchObject({
      state: "not_adopted",
      hive_id: hive.hive_id,
      target: "attic",
      sources: ["ssh_config"],
    });
  });

  it("is adopted: it reports here from then on, and its machine is registered", async () => {
    const told = await adopt("attic");
    expect(told.result).toMatchObject({ status: "succeeded", data: { hive_id: hiveIdOf(), name: "attic" } });
    expect(told.steps).toEqual([
      "connect finished",
      "identify finished",
      "capabilities finished",
      "wait_heartbeat finished",
    ]);
    expect(JSON.stringify(told.events)).not.toMatch(/hive_token|"[A-Za-z0-9_-]{43}"/u);
    expect(await household.readyHive("attic")).toMatchObject({ hive_id: hiveIdOf(), enrolment: "adopted" });
    expect((await household.admin.listBeehives()).data).toMatchObject([
      { name: "attic", target: "attic", hive_port: 7835, hive_id: hiveIdOf() },
    ]);
    expect(await nearby("attic")).toMatchObject({ state: "enrolled" });
  });

  it("may be adopted again without harm", async () => {
    expect((await adopt("attic")).result).toMatchObject({ status: "succeeded", data: { hive_id: hiveIdOf() } });
    expect(await fleet()).toHaveLength(1);
  });

  it("shows its log, and goes on until its reader leaves", async () => {
    const last = await household.admin.hiveLogs({ params: { id: "attic" }, query: { lines: 1 } });
    expect(last.trim().split("\n")).toHaveLength(1);
    const leaving = new AbortController();
    const followed = await household.admin.raw.hiveLogs({
      params: { id: hiveIdOf() },
      query: { follow: "true" },
      signal: leaving.signal,
    });
    const reader = followed.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain("listens on");
    leaving.abort();
    await waitFor(
      "the log is closed on that machine",
      async () => {
        const open = await attic.asRoot("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c 'logs/hive.log' || true");
        // The hive itself keeps it open for writing.
        return Number(open.trim()) <= 1;
      },
      { limitMs: 2_000 },
    );
  });

  it("shows its log over SSH when it does not run, and leaves no reader behind there", async () => {
    await endHive();
    const log = await household.admin.hiveLogs({ params: { id: "attic" }, query: { lines: 3 } });
    expect(log).toContain("The hive stops.");
    const leaving = new AbortController();
    const followed = await household.admin.raw.hiveLogs({
      params: { id: "attic" },
      query: { lines: 1, follow: "true" },
      signal: leaving.signal,
    });
    const reader = followed.body?.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader?.read())?.value)).toContain("The hive stops.");
    const logFile = '"$HOME/.local/share/rbee/hive/logs/hive.log"';
    await exec(there, `mv ${logFile} ${logFile}.1; echo after the turn >${logFile}`);
    const next = reader?.read();
    expect(decoder.decode((await next)?.value)).toBe("after the turn\n");
    expect(attic.processes().some((command) => command.startsWith("tail "))).toBe(true);
    leaving.abort();
    await waitFor("the end of tail", () => attic.processes().every((command) => !command.startsWith("tail ")), {
      limitMs: 1_000,
    });
  });

  it("that does not run is said to be installed, with how to start it", async () => {
    const { result } = await adopt("attic");
    expect(result).toMatchObject({
      status: "failed",
      error: {
        code: "hive_unreachable",
        message: expect.stringContaining("A hive is installed on attic, but none runs on port 7835."),
        suggestion: expect.stringContaining("rbee hive start"),
      },
    });
  });

  it("is found by the folder that its process names, and told from others on that machine", async () => {
    const env = `RBEE_HIVE_HOME="$HOME/an odd place" RBEE_HIVE_PORT=7901 RBEE_HIVE_NAME=second RBEE_MDNS=false`;
    await exec(there, `${env} setsid ${program} </dev/null >/dev/null 2>&1 &`);
    await waitFor("the second hive", async () => (await fetch(`http://${attic.address}:7901/health`)).ok);
    place.configure("second", [`HostName ${attic.address}`, `Port ${attic.port}`, `User ${attic.user}`]);
    const told = await adopt("second", 7901);
    expect(told.result).toMatchObject({ status: "succeeded", data: { name: "second" } });
    expect(told.text).toContain("its data is in ");
    expect(await household.readyHive("second")).toMatchObject({ enrolment: "adopted" });
  });

  it("whose port is closed to the queen is not enrolled, and the reason is named", async () => {
    await household.admin.removeHive({ params: { id: (await household.readyHive("second")).hive_id } });
    await exec(
      there,
      "for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/environ 2>/dev/null | grep -q 'RBEE_HIVE_PORT=7901'; then kill ${p#/proc/}; fi; done; :",
    );
    const env = `RBEE_HIVE_HOME="$HOME/an odd place" RBEE_HIVE_PORT=7902 RBEE_HIVE_HOST=127.0.0.1 RBEE_MDNS=false`;
    await waitFor("the port of the former", async () =>
      fetch(`http://${attic.address}:7901/health`).then(
        () => false,
        () => true,
      ),
    );
    await exec(there, `${env} setsid ${program} </dev/null >/dev/null 2>&1 &`);
    await waitFor(
      "the hive on loopback",
      async () => (await attic.asRoot("ss -ltn | grep -c 127.0.0.1:7902 || true")).trim() === "1",
    );
    const { result } = await adopt("second", 7902);
    expect(result).toMatchObject({
      status: "failed",
      error: {
        code: "hive_unreachable",
        message: expect.stringContaining("Something listens on port 7902 of second, but this queen cannot use it."),
        suggestion: expect.stringContaining("firewall"),
      },
    });
    expect((await fleet()).map(({ name }) => name)).toEqual(["attic"]);
  });
});
