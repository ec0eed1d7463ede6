import type { JobEvent } from "@rbee/contract";
import fc from "fast-check";
import { expect, it } from "vitest";
import { spawnChild } from "./context.ts";
import { readJobEvents } from "./event-reader.ts";
import { encodeEvent } from "./event-stream.ts";
import { narrate, progress } from "./narration.ts";
import { inParallel } from "./parallel.ts";
import { step } from "./step.ts";
import { allOf, createBench, resultOf } from "./testing/bench.ts";

type Act =
  | { kind: "say" }
  | { kind: "progress"; done: number }
  | { kind: "fail" }
  | { kind: "step"; acts: Act[]; awaited: boolean }
  | { kind: "child"; acts: Act[] }
  | { kind: "parallel"; items: Act[][] };

const { act } = fc.letrec<{ act: Act; acts: Act[] }>((tie) => ({
  acts: fc.array(tie("act"), { maxLength: 4, depthIdentifier: "acts" }),
  act: fc.oneof(
    { maxDepth: 3, depthIdentifier: "acts" },
    { weight: 4, arbitrary: fc.constant<Act>({ kind: "say" }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("progress" as const), done: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.constant<Act>({ kind: "fail" }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("step" as const), acts: tie("acts"), awaited: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("child" as const), acts: tie("acts") }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("parallel" as const), items: fc.array(tie("acts"), { maxLength: 3 }) }),
    },
  ),
}));

/** Reads so many chunks, then drops the connection and resumes; the last connection reads to the end. */
const reader = fc.record({ reads: fc.array(fc.nat(4), { maxLength: 4 }), isSlow: fc.boolean() });

interface Household {
  acts: Act[];
  readers: { reads: number[]; isSlow: boolean }[];
  isCancelled: boolean;
}

const household: fc.Arbitrary<Household> = fc.record({
  acts: fc.array(act, { maxLength: 5 }),
  readers: fc.array(reader, { minLength: 1, maxLength: 4 }),
  isCancelled: fc.boolean(),
});

/** Everything that happens waits for its turn, and the scheduler gives turns in any order. */
class Play {
  readonly bench = createBench();
  /** What was said while the job could still be heard. */
  said = 0;
  failures = 0;
  readonly #scheduler: fc.Scheduler;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  turn(label: string): Promise<unknown> {
    return this.#scheduler.schedule(Promise.resolve(), label);
  }

  async perform(acts: readonly Act[]): Promise<void> {
    for (const act of acts) {
      await this.turn(act.kind);
      await this.#act(act);
    }
  }

  /** Reads a job's stream as a person with a bad connection does, resuming after the last event that came whole. */
  async follow(jobId: string, { reads, isSlow }: { reads: number[]; isSlow: boolean }): Promise<string> {
    let seen = "";
    await this.turn("subscribe");
    for (const count of [...reads, Infinity]) {
      const afterSeq = Number([...seen.matchAll(/^id: (\d+)$/gmu)].at(-1)?.[1] ?? 0);
      const stream = this.bench.jobs.stream(jobId, { afterSeq }).getReader();
      for (let i = 0; i < count; i++) {
        if (isSlow) await this.turn("read");
        const { value, done } = await stream.read();
        if (done) return seen;
        seen += new TextDecoder().decode(value);
      }
      await stream.cancel();
      if (seen.endsWith("data: [DONE]\n\n")) return seen;
    }
    return seen;
  }

  async #act(act: Act): Promise<void> {
    if (act.kind === "say") {
      this.said++;
      narrate({ action: "saying", message: `word ${this.said}` });
    } else if (act.kind === "progress") progress({ phase: "copying", done: act.done, total: 9, unit: "items" });
    else if (act.kind === "fail") {
      this.failures++;
      throw new Error("it failed");
    } else if (act.kind === "child") void spawnChild(() => this.perform(act.acts));
    else if (act.kind === "parallel") await inParallel(act.items, (acts) => this.perform(acts));
    else {
      const done = step("part", { timeoutMs: 1_000 }, () => this.perform(act.acts));
      if (act.awaited) await done;
    }
  }
}

it("whatever the interleaving, every subscriber sees the same complete log once, one result, and [DONE] last", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), household, async (scheduler, { acts, readers, isCancelled }) => {
      const play = new Play(scheduler);
      const { job_id, finished } = play.bench.start(() => play.perform(acts));
      const follows = Promise.all(readers.map((each) => play.follow(job_id, each)));
      if (isCancelled)
        void play.turn("cancel").then(() => {
          play.bench.jobs.cancel(job_id);
        });
      let isOver = false;
      void Promise.all([finished, follows]).then(() => (isOver = true));
      while (!isOver) {
        if (scheduler.count() > 0) await scheduler.waitOne();
        else await new Promise((resolve) => setImmediate(resolve));
      }

      const events = play.bench.events(job_id);
      const whole = `${events.map(encodeEvent).join("")}data: [DONE]\n\n`;
      for (const seen of await follows) expect(seen).toBe(whole);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      expect(wordsIn(events)).toEqual(Array.from({ length: play.said }, (_, index) => `word ${index + 1}`));
      const { status } = resultOf(events);
      if (status !== "cancelled") expect(status).toBe(play.failures > 0 ? "failed" : "succeeded");
      expect((await finished).state).toBe(status);
      expect(await allOf(readJobEvents(play.bench.jobs.stream(job_id)))).toEqual(events);
    }),
    { numRuns: 150 },
  );
});

function wordsIn(events: readonly JobEvent[]): string[] {
  return events.flatMap((event) => (event.type === "narration" && event.action === "saying" ? [event.message] : []));
}
