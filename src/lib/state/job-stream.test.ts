import type { JobEvent } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { JobStream, jobStreamTiming } from "./job-stream.ts";

/** A queen's side of streams, and a clock that moves when told. */
class World {
  readonly opened: { after: number; send: (text: string) => void; end: () => void; signal: AbortSignal }[] = [];
  readonly heard: number[] = [];
  readonly live: boolean[] = [];
  gone = false;
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  readonly stream = (lastSeq = 0) =>
    new JobStream(
      {
        open: (after, signal) => {
          if (this.gone) return Promise.resolve(null);
          const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
          const writer = writable.getWriter();
          const send = (text: string) => void writer.write(new TextEncoder().encode(text)).catch(() => {});
          this.opened.push({ after, send, end: () => void writer.close().catch(() => {}), signal });
          return Promise.resolve(readable);
        },
        now: () => this.#now,
        after: (ms, run) => {
          const timer = { at: this.#now + ms, run };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          };
        },
        event: (event: JobEvent) => this.heard.push(event.seq),
        live: (isLive) => this.live.push(isLive),
      },
      lastSeq,
    );

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.toSorted((one, other) => one.at - other.at)[0];
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
    await settled();
  }
}

/** Lets everything run that waits for nothing but its turn. */
const settled = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise<void>((done) => setImmediate(done));
};
const narration = (seq: number) => `id: ${seq}\nevent: narration\ndata: {"seq":${seq}}\n\n`;

describe("following a job", () => {
  it("goes on after the last event it has when the connection is cut", async () => {
    const world = new World();
    world.stream(2).start();
    await settled();
    world.opened[0]?.send(narration(3) + narration(4));
    await settled();
    world.opened[0]?.end();
    await settled();
    await world.pass(1_000);
    world.opened[1]?.send(narration(4) + narration(5));
    await settled();
    expect(world.opened.map(({ after }) => after)).toEqual([2, 4]);
    expect(world.heard).toEqual([3, 4, 5]);
    expect(world.live).toEqual([true, false, true]);
  });

  it("takes silence for a lost connection, pings for a live one", async () => {
    const world = new World();
    world.stream().start();
    await settled();
    await world.pass(jobStreamTiming.silenceMs - 1_000);
    world.opened[0]?.send(": ping\n\n");
    await settled();
    await world.pass(jobStreamTiming.silenceMs - 1_000);
    expect(world.opened).toHaveLength(1);
    await world.pass(3_000);
    expect(world.opened).toHaveLength(2);
    expect(world.opened[0]?.signal.aborted).toBe(true);
  });

  it("looks at once when a page wakes up that has slept", async () => {
    const world = new World();
    const stream = world.stream();
    stream.start();
    await settled();
    stream.hurry();
    expect(world.opened).toHaveLength(1);
    await world.pass(jobStreamTiming.hastySilenceMs + 500);
    stream.hurry();
    await settled();
    expect(world.opened).toHaveLength(2);
  });

  it("ends with [DONE], and with a job that is no longer known", async () => {
    const world = new World();
    world.stream().start();
    await settled();
    world.opened[0]?.send(narration(1) + "data: [DONE]\n\n");
    await settled();
    await world.pass(120_000);
    expect(world.opened).toHaveLength(1);

    const forgotten = new World();
    forgotten.gone = true;
    forgotten.stream().start();
    await settled();
    forgotten.gone = false;
    await forgotten.pass(120_000);
    expect(forgotten.opened).toHaveLength(0);
  });
});
