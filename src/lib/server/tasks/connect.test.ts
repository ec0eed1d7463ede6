import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { awaitHive, rootCause, type Reachable } from "./connect.ts";

const patience = { attempts: 10, limitMs: 60_000, everyMs: 1 };
const never = new AbortController().signal;

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function hive(change: Partial<Reachable> = {}) {
  let probes = 0;
  const refuse = () => {
    const cause = new Error("connect ECONNREFUSED 10.0.0.9:7835");
    throw new RbeeError("hive_unreachable", "attic does not answer.", {
      cause: new TypeError("fetch failed", { cause }),
    });
  };
  const reachable: Reachable = {
    name: "attic",
    isUp: () => false,
    isStarting: () => false,
    probe: async () => refuse(),
    ...change,
  };
  return {
    get probes() {
      return probes;
    },
    refuse,
    reachable: { ...reachable, probe: async (signal: AbortSignal) => (probes++, reachable.probe(signal)) },
  };
}

describe("waiting for a hive", () => {
  it("ends after ten connection errors in a row, with the last real one", async () => {
    const attic = hive();
    await expect(awaitHive(attic.reachable, patience, never)).rejects.toMatchObject({
      code: "hive_unreachable",
      message: "attic does not accept connections (10 attempts): connect ECONNREFUSED 10.0.0.9:7835.",
    });
    expect(attic.probes).toBe(10);
  });

  it("counts again after an answer, and ends as soon as it reports", async () => {
    let count = 0;
    const attic = hive({
      isUp: () => count > 12,
      probe: async () => {
        if (++count !== 9 && count <= 12) attic.refuse();
      },
    });
    await awaitHive(attic.reachable, patience, never);
    expect(attic.probes).toBe(13);
  });

  it("does not count while it is too early to expect an answer", async () => {
    const attic = hive({ isStarting: () => attic.probes <= 50 });
    await expect(awaitHive(attic.reachable, patience, never)).rejects.toMatchObject({ code: "hive_unreachable" });
    expect(attic.probes).toBe(60);
  });

  it("ends when one that answers does not report in time", async () => {
    const silent = hive({ probe: async () => {} });
    await expect(awaitHive(silent.reachable, { ...patience, limitMs: 20 }, never)).rejects.toMatchObject({
      code: "hive_down",
    });
  });

  it("ends at once when nobody waits for it any more", async () => {
    const leaving = new AbortController();
    const attic = hive({ isStarting: () => true });
    const waiting = awaitHive(attic.reachable, patience, leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow();
  });

  it("finds what the network said inside what was made of it", async () => {
    const port = await closedPort();
    const error = await fetch(`http://127.0.0.1:${port}`).catch((thrown: unknown) => thrown);
    expect(rootCause(new RbeeError("hive_unreachable", "It does not answer.", { cause: error }))).toBe(
      `connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });
});
