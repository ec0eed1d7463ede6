import { beforeEach, describe, expect, it } from "vitest";
import { FleetConnection, timing, type ConnectionStatus, type StreamHandlers } from "./fleet-connection.ts";

/** A clock, a stream and a probe of our own. */
class World {
  time = 0;
  statuses: ConnectionStatus[] = [];
  events: string[] = [];
  opened: (StreamHandlers & { closed: boolean })[] = [];
  answer: "reachable" | "signed_out" | "unreachable" = "reachable";
  signedOut = 0;
  #timers: { at: number; run: () => void }[] = [];
  readonly connection = new FleetConnection({
    open: (handlers) => {
      const stream = { ...handlers, closed: false };
      this.opened.push(stream);
      return { close: () => (stream.closed = true) };
    },
    probe: () => Promise.resolve(this.answer),
    now: () => this.time,
    after: (ms, run) => {
      const timer = { at: this.time + ms, run };
      this.#timers.push(timer);
      return () => (this.#timers = this.#timers.filter((other) => other !== timer));
    },
    status: (status) => this.statuses.push(status),
    event: (name) => this.events.push(name),
    signedOut: () => (this.signedOut += 1),
  });

  get stream(): StreamHandlers & { closed: boolean } {
    const last = this.opened.at(-1);
    if (last === undefined) throw new Error("no stream was opened");
    return last;
  }

  /** Time passes; timers run in order, as on a machine that is awake. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
      await Promise.resolve();
      await Promise.resolve();
    }
    this.time = end;
  }

  /** The machine sleeps: the clock jumps and nothing runs. */
  sleep(ms: number): void {
    this.time += ms;
  }

  async fleetEverySecond(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await this.pass(1000);
      this.stream.event("fleet", "{}");
    }
  }
}

describe("the fleet stream", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
    world.connection.start();
  });

  it("is live from its first event on and stays so while events come", async () => {
    world.stream.event("history", "{}");
    await world.fleetEverySecond(30);
    expect(world.statuses).toEqual(["live"]);
    expect(world.opened).toHaveLength(1);
  });

  it("says so and opens again within 4 s of silence", async () => {
    await world.fleetEverySecond(2);
    await world.pass(timing.silenceMs + timing.watchEveryMs);
    expect(world.statuses.at(-1)).toBe("reconnecting");
    expect(world.opened).toHaveLength(2);
    expect(world.opened[0]?.closed).toBe(true);
    world.stream.event("fleet", "{}");
    expect(world.statuses.at(-1)).toBe("live");
  });

  it("notices at once after a sleep that its stream is old", async () => {
    await world.fleetEverySecond(2);
    world.sleep(3_600_000);
    world.connection.visible(true);
    expect(world.statuses.at(-1)).toBe("reconnecting");
    expect(world.opened).toHaveLength(2);
    await world.pass(10);
  });

  it("ignores what an abandoned stream still says", async () => {
    await world.fleetEverySecond(1);
    const old = world.stream;
    await world.pass(4_000);
    old.event("fleet", "{}");
    old.failed();
    expect(world.statuses.at(-1)).toBe("reconnecting");
    expect(world.opened).toHaveLength(2);
  });

  it("tries again ever more slowly while the queen is away, 8 s at most", async () => {
    world.answer = "unreachable";
    const openedAt: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      openedAt.push(world.time);
      world.stream.failed();
      const before = world.opened.length;
      await Promise.resolve();
      await Promise.resolve();
      while (world.opened.length === before) await world.pass(100);
    }
    const waits = openedAt.slice(1).map((at, index) => at - (openedAt[index] ?? 0));
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  });

  it("gives up and signs out when the session has ended", async () => {
    world.answer = "signed_out";
    world.stream.failed();
    await world.pass(60_000);
    expect(world.signedOut).toBe(1);
    expect(world.opened).toHaveLength(1);
  });

  it("does not wait when the network comes back", async () => {
    world.answer = "unreachable";
    world.stream.failed();
    await world.pass(10);
    world.connection.hurry();
    expect(world.opened).toHaveLength(2);
  });

  it("rests a minute after the page was hidden and wakes with it", async () => {
    await world.fleetEverySecond(1);
    world.connection.visible(false);
    await world.fleetEverySecond(timing.hiddenGraceMs / 1000);
    expect(world.stream.closed).toBe(true);
    world.connection.visible(true);
    expect(world.opened).toHaveLength(2);
    expect(world.stream.closed).toBe(false);
  });

  it("opens nothing more once it is stopped", async () => {
    world.stream.failed();
    world.connection.stop();
    await world.pass(60_000);
    expect(world.opened).toHaveLength(1);
    expect(world.stream.closed).toBe(true);
  });
});
