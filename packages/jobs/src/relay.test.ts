import type { JobEvent } from "@rbee/contract";
import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { readJobEvents } from "./event-reader.ts";
import { narrate, progress } from "./narration.ts";
import { relay } from "./relay.ts";
import { step } from "./step.ts";
import { createBench, narrations, resultOf } from "./testing/bench.ts";
import { turn } from "./testing/manual-clock.ts";

/** A hive with its own jobs, and a queen that relays one of them. */
function household(operation: (signal: AbortSignal) => unknown) {
  const hive = createBench({ actor: "hive" });
  const queen = createBench();
  const remote = hive.start(operation);
  const events = readJobEvents(hive.jobs.stream(remote.job_id), { clock: hive.clock });
  return { hive, queen, remote, events };
}
const actor = "hive:nas";

describe("relaying a hive's job", () => {
  it("keeps what is said, by whom, with its progress and rate, under the queen's own numbers", async () => {
    const { queen, hive, events } = household(async () => {
      narrate({ action: "loading", message: "from the hive", data: { layer: 1 } });
      narrate({ actor: "worker:1", action: "loading", message: "from a worker", level: "debug" });
      progress({ phase: "loading", done: 1, total: 4, unit: "items" });
      await hive.clock.advance(1_000);
      progress({ phase: "loading", done: 3, total: 4, unit: "items" });
      return { worker_id: "worker:1" };
    });
    const { events: relayed, result } = await queen.perform(() => relay(events, { actor }));
    expect(relayed.map(({ seq }) => seq)).toEqual(relayed.map((_, index) => index + 1));
    expect(narrations(relayed)).toMatchObject([
      { action: "timeout_start", actor: "queen" },
      { action: "timeout_start", actor },
      { message: "from the hive", actor, data: { layer: 1 } },
      { message: "from a worker", actor: "worker:1", level: "debug" },
    ]);
    expect(relayed.filter((event) => event.type === "progress").map(({ rate }) => rate)).toEqual([null, 2]);
    expect(result).toMatchObject({ status: "succeeded", data: { worker_id: "worker:1" } });
  });

  it("a failure there is a failure here, with its own code, step and suggestion", async () => {
    const { queen, events } = household(() =>
      step("download", { timeoutMs: 1_000 }, () => {
        throw new RbeeError("insufficient_disk", "4 GB are missing.", { suggestion: "Delete a model." });
      }),
    );
    const { result } = await queen.perform(() =>
      step("fetch", { timeoutMs: 10_000, actor }, () => relay(events, { actor })),
    );
    expect(result).toMatchObject({
      status: "failed",
      error: {
        code: "insufficient_disk",
        message: "fetch on hive:nas: download: 4 GB are missing.",
        details: { step: "download" },
        suggestion: "Delete a model.",
      },
    });
  });

  it("running out of time there is running out of time here", async () => {
    const { queen, hive, events } = household(
      (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", resolve);
        }),
    );
    const relayed = queen.perform(() => relay(events, { actor }), { timeoutMs: 300_000 });
    await turn();
    await hive.clock.advance(60_000);
    expect((await relayed).result).toMatchObject({ status: "timed_out", error: { code: "request_timeout" } });
  });

  it("a stream that ends without a result is a lost connection", async () => {
    const cut: AsyncIterable<JobEvent> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
    };
    const { result } = await createBench().perform(() => relay(cut, { actor }));
    expect(result).toMatchObject({ status: "failed", error: { code: "hive_unreachable" } });
  });

  it("a relay that nobody awaited is part of the job all the same", async () => {
    const { queen, events } = household(() => Promise.reject(new Error("no such file")));
    const { result } = await queen.perform(() => {
      void relay(events, { actor });
    });
    expect(result).toMatchObject({ status: "failed", error: { message: "no such file" } });
  });

  it("cancelling here cancels there, and what it says while stopping is still heard", async () => {
    const { hive, queen, remote, events } = household(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            narrate({ action: "stopping", message: "the download is stopped" });
            reject(signal.reason as Error);
          });
        }),
    );
    const { job_id, finished } = queen.start(() =>
      relay(events, {
        actor,
        cancel: async () => {
          await turn();
          hive.jobs.cancel(remote.job_id);
        },
      }),
    );
    await turn();
    queen.jobs.cancel(job_id);
    await finished;
    const actions = narrations(queen.events(job_id)).map(({ action }) => action);
    expect(actions).toContain("stopping");
    expect(resultOf(queen.events(job_id)).status).toBe("cancelled");
    expect((await remote.finished).state).toBe("cancelled");
  });

  it("does not wait for ever for a hive that does not stop, nor for one that cannot be asked to", async () => {
    const never: AsyncIterable<JobEvent> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
    const queen = createBench();
    const mute = queen.start(() => relay(never, { actor }));
    const deaf = queen.start(() => relay(never, { actor, cancel: () => Promise.resolve() }));
    const gone = queen.start(() => relay(never, { actor, cancel: () => Promise.reject(new Error("no route")) }));
    await turn();
    for (const { job_id } of [mute, deaf, gone]) queen.jobs.cancel(job_id);
    await mute.finished;
    await gone.finished;
    await queen.clock.advance(14_999);
    expect(queen.jobs.get(deaf.job_id).state).toBe("running");
    await queen.clock.advance(1);
    expect((await deaf.finished).state).toBe("cancelled");
    expect(narrations(queen.events(gone.job_id)).at(-1)?.message).toBe("While stopping: no route");
    expect(queen.clock.pending).toBe(0);
  });
});
