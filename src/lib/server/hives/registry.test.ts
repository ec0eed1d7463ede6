import { RbeeError, type HealthTransition } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { tables } from "#lib/server/db/index.ts";
import { createVault } from "#lib/server/secrets/index.ts";
import {
  capabilities,
  heartbeat,
  hiveModel,
  newHiveId,
  newHiveToken,
  silentLog,
  temporaryDatabase,
  testClock,
} from "#lib/server/testing/index.ts";
import { createEnrolment } from "./enrolment.ts";
import { createJoinTokens } from "./join-tokens.ts";
import { createRegistry } from "./registry.ts";
import { createHiveStore } from "./store.ts";

function household(db = temporaryDatabase(), clock = testClock()) {
  const store = createHiveStore(db, createVault(Buffer.alloc(32, 7)));
  const registry = createRegistry(store, clock.now);
  const joinTokens = createJoinTokens(db, clock.now);
  const enroll = createEnrolment(registry, joinTokens, silentLog);
  const joinToken = (uses = 1) => joinTokens.api.create({ uses, expires_in_s: 3600 }, "http://queen:7833").token;
  const transitions: HealthTransition[] = [];
  registry.onTransition((transition) => transitions.push(transition));
  return { db, clock, registry, joinTokens, enroll, joinToken, transitions };
}

const request = (change: Partial<Parameters<ReturnType<typeof createEnrolment>>[0]>) => ({
  join_token: "",
  hive_id: newHiveId(),
  hive_token: newHiveToken(),
  name: "attic",
  version: "0.1.0",
  api_version: "v1",
  port: 7835,
  ...change,
});
const codeOf = (thrown: unknown) => (thrown instanceof RbeeError ? thrown.code : thrown);
const refusal = (promise: Promise<unknown>) => promise.then(() => "accepted", codeOf);
const thrownBy = (action: () => unknown) => {
  try {
    action();
    return "accepted";
  } catch (error) {
    return codeOf(error);
  }
};

describe("an expected hive", () => {
  const expected = () => {
    const { registry } = household();
    const hive = { hiveId: newHiveId(), token: newHiveToken(), name: "attic", enrolment: "ssh" as const };
    return { registry, hive, forgetIt: registry.expect(hive) };
  };

  it("is enrolled by its first heartbeat, and not before", () => {
    const { registry, hive } = expected();
    expect(registry.all()).toEqual([]);
    registry.heartbeat(heartbeat(hive.hiveId), hive.token, "10.0.0.2");
    expect(registry.all()).toMatchObject([{ name: "attic", enrolment: "ssh", host: "10.0.0.2", port: 7835 }]);
  });

  it("is not enrolled by a heartbeat with another token", () => {
    const { registry, hive } = expected();
    expect(thrownBy(() => registry.heartbeat(heartbeat(hive.hiveId), newHiveToken(), "10.0.0.2"))).toBe(
      "node_not_found",
    );
    expect(registry.all()).toEqual([]);
  });

  it("is let in no more once its installation has failed", () => {
    const { registry, hive, forgetIt } = expected();
    forgetIt();
    expect(thrownBy(() => registry.heartbeat(heartbeat(hive.hiveId), hive.token, "10.0.0.2"))).toBe("node_not_found");
    expect(registry.all()).toEqual([]);
  });
});

describe("joining", () => {
  it("needs a join token that is known, unused and in time", async () => {
    const { enroll, joinToken, clock } = household();
    expect(await refusal(enroll(request({ join_token: "guess" }), "10.0.0.2"))).toBe("invalid_api_key");
    const token = joinToken();
    expect(await refusal(enroll(request({ join_token: token }), "10.0.0.2"))).toBe("accepted");
    expect(await refusal(enroll(request({ join_token: token }), "10.0.0.3"))).toBe("invalid_api_key");
    const late = joinToken();
    clock.advance(3_601_000);
    expect(await refusal(enroll(request({ join_token: late }), "10.0.0.4"))).toBe("invalid_api_key");
  });

  it("spends a single-use token once, also for two machines at the same moment", async () => {
    const { enroll, joinToken, registry } = household();
    const join_token = joinToken();
    const both = [enroll(request({ join_token }), "10.0.0.2"), enroll(request({ join_token }), "10.0.0.3")];
    expect((await Promise.all(both.map(refusal))).toSorted()).toEqual(["accepted", "invalid_api_key"]);
    expect(registry.all()).toHaveLength(1);
  });

  it("cannot take an enrolled hive over, even with a valid join token", async () => {
    const { enroll, joinToken, registry } = household();
    const mine = request({ join_token: joinToken() });
    await enroll(mine, "10.0.0.2");
    const thief = request({ hive_id: mine.hive_id, join_token: joinToken(5) });
    expect(await refusal(enroll(thief, "10.6.6.6"))).toBe("already_exists");
    const hive = registry.get(mine.hive_id);
    expect([
      hive.host,
      registry.holdsToken(hive, mine.hive_token),
      registry.holdsToken(hive, thief.hive_token),
    ]).toEqual(["10.0.0.2", true, false]);
  });

  it("of two thieves and an owner at the same moment leaves one owner", async () => {
    const { enroll, joinToken, registry } = household();
    const join_token = joinToken(3);
    const hive_id = newHiveId();
    const requests = [0, 1, 2].map(() => request({ hive_id, join_token }));
    const outcome = await Promise.all(requests.map((each) => refusal(enroll(each, "10.0.0.2"))));
    expect(outcome.toSorted()).toEqual(["accepted", "already_exists", "already_exists"]);
    const winner = requests[outcome.indexOf("accepted")];
    expect(registry.holdsToken(registry.get(hive_id), winner?.hive_token ?? "")).toBe(true);
  });

  it("may be repeated by the hive itself when the first answer got lost", async () => {
    const { enroll, joinToken } = household();
    const mine = request({ join_token: joinToken() });
    await enroll(mine, "10.0.0.2");
    expect(await refusal(enroll(mine, "10.0.0.3"))).toBe("accepted");
  });

  it("refuses another version of the protocol by name", async () => {
    const { enroll, joinToken } = household();
    const other = request({ join_token: joinToken(), api_version: "v9" });
    expect(await refusal(enroll(other, "10.0.0.2"))).toBe("hive_version_mismatch");
  });

  it("leaves neither token readable in the database", async () => {
    const { enroll, joinToken, db } = household();
    const mine = request({ join_token: joinToken(2) });
    await enroll(mine, "10.0.0.2");
    const stored = JSON.stringify([
      db.select().from(tables.joinTokens).all(),
      db
        .select()
        .from(tables.hives)
        .all()
        .map((row) => row.sealedToken.toString("latin1")),
    ]);
    expect(stored).not.toContain(mine.join_token);
    expect(stored).not.toContain(mine.hive_token);
  });
});

describe("heartbeats", () => {
  async function withHive() {
    const parts = household();
    const mine = request({ join_token: parts.joinToken() });
    await parts.enroll(mine, "10.0.0.2");
    return { ...parts, id: mine.hive_id, token: mine.hive_token };
  }

  it("count with the hive's own token only", async () => {
    const { registry, id, token } = await withHive();
    expect(thrownBy(() => registry.heartbeat(heartbeat(id), null, "10.0.0.2"))).toBe("missing_api_key");
    expect(thrownBy(() => registry.heartbeat(heartbeat(id), newHiveToken(), "10.0.0.2"))).toBe("invalid_api_key");
    expect(thrownBy(() => registry.heartbeat(heartbeat(newHiveId()), token, "10.0.0.2"))).toBe("node_not_found");
    expect(registry.get(id).health).toBe("starting");
    registry.heartbeat(heartbeat(id), token, "10.0.0.2");
    expect(registry.get(id).health).toBe("healthy");
  });

  it("that were refused change nothing", async () => {
    const { registry, id } = await withHive();
    thrownBy(() => registry.heartbeat(heartbeat(id, { port: 1 }), newHiveToken(), "10.6.6.6"));
    expect([registry.get(id).host, registry.get(id).port, registry.get(id).lastSeenAt]).toEqual([
      "10.0.0.2",
      7835,
      null,
    ]);
  });

  it("tell where a hive is now, also to the next run of the queen", async () => {
    const { registry, id, token, db, clock } = await withHive();
    registry.heartbeat(heartbeat(id, { port: 9000 }), token, "10.0.0.77");
    expect(household(db, clock).registry.get(id)).toMatchObject({ host: "10.0.0.77", port: 9000 });
  });

  it("that stay away make transitions, each once", async () => {
    const { registry, id, token, clock, transitions } = await withHive();
    registry.heartbeat(heartbeat(id), token, "10.0.0.2");
    for (let ms = 0; ms < 12_000; ms += 500) {
      clock.advance(500);
      registry.tick();
    }
    registry.heartbeat(heartbeat(id), token, "10.0.0.2");
    expect(transitions.map(({ from, to }) => `${from} > ${to}`)).toEqual([
      "starting > healthy",
      "healthy > degraded",
      "degraded > down",
      "down > healthy",
    ]);
    const firstMs = transitions[0]?.ts ?? 0;
    expect(transitions.slice(1, 3).map(({ ts }) => ts - firstMs)).toEqual([3_000, 10_500]);
  });

  it("of a hive that is down leave no worker behind", async () => {
    const { registry, id, token, clock } = await withHive();
    registry.heartbeat(heartbeat(id), token, "10.0.0.2");
    clock.advance(11_000);
    registry.tick();
    expect(registry.get(id).heartbeat?.workers).toEqual([]);
  });

  it("beyond what the queen can take are refused, not queued", async () => {
    const { registry, id, token, clock } = await withHive();
    const send = () => thrownBy(() => registry.heartbeat(heartbeat(id), token, "10.0.0.2"));
    const outcomes = new Set(Array.from({ length: 5_001 }, send));
    expect([...outcomes]).toEqual(["accepted", "overloaded"]);
    clock.advance(1_000);
    expect(send()).toBe("accepted");
  });
});

describe("what a hive can do", () => {
  it("is known again after a restart of the queen", async () => {
    const { enroll, joinToken, registry, db, clock } = household();
    const mine = request({ join_token: joinToken() });
    await enroll(mine, "10.0.0.2");
    const facts = capabilities(mine.hive_id, [hiveModel("bee-tiny"), hiveModel("bee-large", 900)]);
    registry.setCapabilities(registry.get(mine.hive_id), facts);
    const again = household(db, clock).registry.get(mine.hive_id);
    expect(again.capabilities).toEqual(facts);
    expect(again.token).toBe(mine.hive_token);
  });

  it("does not bring back a hive that was removed while it was asked", async () => {
    const { enroll, joinToken, registry, db, clock } = household();
    const mine = request({ join_token: joinToken() });
    await enroll(mine, "10.0.0.2");
    const hive = registry.get(mine.hive_id);
    registry.remove(mine.hive_id);
    registry.setCapabilities(hive, capabilities(mine.hive_id, [hiveModel("bee-tiny")]));
    expect(household(db, clock).registry.find(mine.hive_id)).toBeUndefined();
  });
});
