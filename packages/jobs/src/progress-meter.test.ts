import type { ProgressEvent } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { narrate, progress } from "./narration.ts";
import { step } from "./step.ts";
import { createBench } from "./testing/bench.ts";
import { turn } from "./testing/manual-clock.ts";

const copying = (done: number, total: number | null = 1_000) => {
  progress({ phase: "copying", done, total, unit: "bytes" });
};

async function progressOf(operation: (bench: ReturnType<typeof createBench>) => unknown): Promise<ProgressEvent[]> {
  const bench = createBench();
  const { events } = await bench.perform(() => operation(bench));
  return events.filter((event) => event.type === "progress");
}

describe("progress", () => {
  it("a flood becomes four events a second, and the newest number is never older than that", async () => {
    const events = await progressOf(async ({ clock }) => {
      for (let done = 0; done < 1_000; done++) {
        copying(done);
        await clock.advance(1);
      }
    });
    expect(events.length).toBeGreaterThanOrEqual(4);
    expect(events.length).toBeLessThanOrEqual(6);
    expect(events.at(-1)?.done).toBe(999);
  });

  it("the last of a phase comes before whatever is said after it", async () => {
    const bench = createBench();
    const { events } = await bench.perform(async () => {
      copying(1);
      copying(2);
      narrate({ action: "chmod", message: "next" });
      copying(3);
      copying(4);
      await step("verify", { timeoutMs: 1_000 }, () => {
        progress({ phase: "hashing", done: 1, total: null, unit: "bytes" });
        progress({ phase: "hashing", done: 2, total: null, unit: "bytes" });
      });
    });
    const told = events.flatMap<string | number>((event) =>
      event.type === "progress" ? [event.done] : event.type === "narration" ? [event.action] : [],
    );
    expect(told).toEqual(["timeout_start", 1, 2, "chmod", 4, "verify", "timeout_start", 1, 2, "verify"]);
  });

  it("what is held back comes by itself when nothing follows", async () => {
    const bench = createBench();
    const { job_id } = bench.start(async () => {
      copying(1);
      copying(2);
      await new Promise(() => {});
    });
    await turn();
    await bench.clock.advance(250);
    expect(bench.events(job_id).at(-1)).toMatchObject({ type: "progress", done: 2 });
  });

  it("the rate is in units per second over the last seconds, and null when it cannot be known", async () => {
    const events = await progressOf(async ({ clock }) => {
      copying(0, null);
      for (let second = 1; second <= 20; second++) {
        await clock.advance(1_000);
        copying(second <= 10 ? second * 100 : 1_000 + (second - 10) * 10, null);
      }
    });
    expect(events[0]?.rate).toBeNull();
    expect(events[5]?.rate).toBe(100);
    expect(events.at(-1)?.rate).toBe(10);
  });

  it("starting over is shown, without a rate below zero", async () => {
    const events = await progressOf(async ({ clock }) => {
      copying(500);
      await clock.advance(1_000);
      copying(100);
    });
    expect(events.map(({ done, rate }) => [done, rate])).toEqual([
      [500, null],
      [100, null],
    ]);
  });

  it("numbers that are none do no harm", async () => {
    const [event] = await progressOf(() => {
      progress({ phase: "copying", done: Number.NaN, total: Infinity, unit: "percent" });
    });
    expect(event).toMatchObject({ done: 0, total: null });
  });
});
