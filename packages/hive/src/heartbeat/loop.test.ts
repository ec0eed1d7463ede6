import { heartbeatSchema, type Heartbeat } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { FakeQueen } from "../testing/fake-queen.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { HeartbeatLoop } from "./loop.ts";
import { httpSender } from "./sender.ts";

const token = "t".repeat(43);

function household(queenUrl: string | undefined) {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const sender = httpSender(token);
  const place = { queenUrl };
  const compose = (): Promise<Omit<Heartbeat, "seq">> =>
    Promise.resolve({
      hive_id: "hive:00000000-0000-4000-8000-000000000000",
      ts: clock.now(),
      version: "0.1.0",
      port: 7835,
      capabilities_rev: "1",
      node: { cpu_pct: 1, ram_used_mb: 1, ram_total_mb: 2, load1: 0, gpus: [] },
      workers: [],
    });
  const loop = new HeartbeatLoop({ clock, log, sender, queenUrl: () => place.queenUrl, compose });
  onTestFinished(async () => {
    await loop.stop();
    await sender.close();
  });
  return { clock, lines, loop, place };
}

/** The loop has sent what it had to, and sleeps until its next heartbeat. */
const asleep = (clock: ManualClock) => eventually("the loop sleeps", () => clock.pending().length > 0);

async function callsFromTheQueen({ loop, place }: ReturnType<typeof household>, url: string) {
  place.queenUrl = url;
  loop.queenCalled();
  await Promise.resolve();
}

describe("the hive is there first", () => {
  it("looks for the queen at 0, 2, 6, 14 and 30 s, logs one line, and is silent until the queen calls", async () => {
    const queen = await FakeQueen.start();
    await queen.close();
    const hive = household(queen.url);
    hive.loop.start();
    for (const waitMs of [2_000, 4_000, 8_000, 16_000]) {
      await asleep(hive.clock);
      expect(hive.loop.state).toBe("discovery_push");
      expect(hive.clock.pending()).toEqual([waitMs]);
      expect(hive.lines).toEqual([]);
      hive.clock.advance(waitMs);
    }
    await eventually("silence", () => hive.loop.state === "discovery_wait");
    expect(hive.clock.pending()).toEqual([]);
    expect(hive.lines.map(({ msg }) => msg)).toEqual([expect.stringContaining("waiting for the queen to call")]);

    await queen.listen();
    hive.clock.advance(3_600_000);
    expect(queen.received).toEqual([]);
    await callsFromTheQueen(hive, queen.url);
    await eventually("a heartbeat", () => queen.received.length === 1);
    expect(hive.loop.state).toBe("telemetry");
  });
});

describe("the queen is there first", () => {
  it("gets a heartbeat at once and then one a second over one connection, each as the contract says", async () => {
    const queen = await FakeQueen.start();
    const hive = household(queen.url);
    hive.loop.start();
    for (let second = 1; second <= 5; second += 1) {
      await asleep(hive.clock);
      expect(queen.received.length).toBe(second);
      expect(hive.clock.pending()).toEqual([1_000]);
      hive.clock.advance(1_000);
    }
    await asleep(hive.clock);
    expect(queen.connections).toBe(1);
    expect(queen.received.map(({ body }) => heartbeatSchema.parse(body).seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(queen.received.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]));
    expect(hive.lines.length).toBe(1);
  });
});

describe("both look for each other at the same time", () => {
  it("a second capabilities call starts no second heartbeat loop", async () => {
    const queen = await FakeQueen.start();
    const hive = household(queen.url);
    hive.loop.start();
    hive.loop.start();
    await asleep(hive.clock);
    await callsFromTheQueen(hive, queen.url);
    await callsFromTheQueen(hive, queen.url);
    const before = queen.received.length;
    for (let second = 1; second <= 5; second += 1) {
      await asleep(hive.clock);
      expect(hive.clock.pending()).toEqual([1_000]);
      hive.clock.advance(1_000);
      await eventually("its heartbeat", () => queen.received.length === before + second);
    }
    await asleep(hive.clock);
    expect(queen.received.length).toBe(before + 5);
  });

  it("a call during the search ends the wait", async () => {
    const queen = await FakeQueen.start();
    const hive = household("http://127.0.0.1:9");
    hive.loop.start();
    await asleep(hive.clock);
    await callsFromTheQueen(hive, queen.url);
    await eventually("a heartbeat without time passing", () => queen.received.length === 1);
    await eventually("telemetry", () => hive.loop.state === "telemetry");
  });

  it("a call during telemetry moves the one loop to the new address", async () => {
    const [first, second] = [await FakeQueen.start(), await FakeQueen.start()];
    const hive = household(first.url);
    hive.loop.start();
    await asleep(hive.clock);
    await callsFromTheQueen(hive, second.url);
    await asleep(hive.clock);
    hive.clock.advance(1_000);
    await eventually("a heartbeat at the new address", () => second.received.length === 1);
    await asleep(hive.clock);
    hive.clock.advance(1_000);
    await eventually("the next one", () => second.received.length === 2);
    expect(first.received.length).toBe(1);
  });

  it("a call while a heartbeat hangs at the old address does not wait for it", async () => {
    const [deaf, queen] = [await FakeQueen.start(), await FakeQueen.start()];
    deaf.answer = "never";
    const hive = household(deaf.url);
    hive.loop.start();
    await eventually("a hanging heartbeat", () => deaf.received.length === 1);
    await callsFromTheQueen(hive, queen.url);
    await eventually("a heartbeat at the new address", () => queen.received.length === 1);
    await eventually("telemetry", () => hive.loop.state === "telemetry");
  });
});

describe("a queen that goes away", () => {
  it("is missed ten times with one line in the log, looked for, and found when it is back", async () => {
    const queen = await FakeQueen.start();
    const hive = household(queen.url);
    hive.loop.start();
    await asleep(hive.clock);
    await queen.close();
    for (let second = 1; second <= 10; second += 1) {
      expect(hive.loop.state).toBe("telemetry");
      hive.clock.advance(1_000);
      await asleep(hive.clock);
    }
    expect(hive.loop.state).toBe("discovery_push");
    expect(hive.lines.slice(1).map(({ msg }) => msg)).toEqual([expect.stringMatching(/^Heartbeats fail: /u)]);
    await queen.listen();
    hive.clock.advance(16_000);
    await eventually("telemetry", () => hive.loop.state === "telemetry");
  });

  it("never has two heartbeats of one hive to answer, however slow it is", async () => {
    const queen = await FakeQueen.start();
    const hive = household(queen.url);
    hive.loop.start();
    await asleep(hive.clock);
    queen.answer = "never";
    hive.clock.advance(1_000);
    await eventually("the heartbeat that hangs", () => queen.received.length === 2);
    hive.clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(queen.received.length).toBe(2);
    expect(hive.clock.pending()).toEqual([]);
  });
});

describe("a queen that refuses", () => {
  it.each([
    [401, "invalid_api_key", /join again/u],
    [404, "node_not_found", /does not know this hive/u],
  ])("with %i is logged once with what to do, and heard when it has changed its mind", async (status, code, advice) => {
    const queen = await FakeQueen.start();
    const hive = household(queen.url);
    hive.loop.start();
    await asleep(hive.clock);
    queen.answer = { status, body: { error: { message: "No.", type: "x", param: null, code } } };
    for (let second = 1; second <= 5; second += 1) {
      hive.clock.advance(1_000);
      await asleep(hive.clock);
    }
    expect(hive.lines.slice(1).map(({ msg }) => msg)).toEqual([expect.stringMatching(advice)]);
    queen.answer = { status: 200, body: { ok: true } };
    hive.clock.advance(1_000);
    await asleep(hive.clock);
    expect(hive.lines.at(-1)?.msg).toBe("Heartbeats arrive again.");
    expect(hive.loop.state).toBe("telemetry");
  });

  it("from the start leaves the hive silent, with the advice in the one line", async () => {
    const queen = await FakeQueen.start();
    queen.answer = {
      status: 401,
      body: { error: { message: "No.", type: "x", param: null, code: "invalid_api_key" } },
    };
    const hive = household(queen.url);
    hive.loop.start();
    for (const waitMs of [2_000, 4_000, 8_000, 16_000]) {
      await asleep(hive.clock);
      hive.clock.advance(waitMs);
    }
    await eventually("silence", () => hive.loop.state === "discovery_wait");
    expect(hive.lines.map(({ msg }) => msg)).toEqual([expect.stringContaining("join again")]);
  });
});
