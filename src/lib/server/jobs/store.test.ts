import { join } from "node:path";
import type { Job } from "@rbee/contract";
import { createJobs, failInterrupted, narrate, observable, silentLog, step } from "@rbee/jobs";
import { describe, expect, it } from "vitest";
import { openDatabase } from "#lib/server/db/index.ts";
import { temporaryDatabase, temporaryFolder } from "#lib/server/testing/index.ts";
import { createSqliteJobStore } from "./store.ts";

const request = {
  operation: "self_check" as const,
  subject: "the household",
  input: { operation: "self_check" },
  startedBy: "Ann",
  timeoutMs: 5_000,
};

function runner(store: ReturnType<typeof createSqliteJobStore>) {
  return createJobs({ store, log: observable(store), processLog: silentLog, actor: "queen" });
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

const idsOf = (text: string) => [...text.matchAll(/^id: (\d+)$/gmu)].map(([, id]) => Number(id));

function job(id: string, change: Partial<Job> = {}): Job {
  return {
    job_id: id,
    operation: "self_check",
    subject: "x",
    state: "running",
    started_by: null,
    created_at: 1,
    finished_at: null,
    error: null,
    result: null,
    input: {},
    ...change,
  };
}

describe("jobs in the database", () => {
  it("are what they were when the queen comes back, with everything they told", async () => {
    const file = join(temporaryFolder(), "queen.db");
    const first = openDatabase(file);
    const jobs = runner(createSqliteJobStore(first.db, { keepFinished: 10 }));
    const started = jobs.run(request, () => step("look", { timeoutMs: 1_000 }, () => ({ found: 3 })));
    const finished = await started.finished;
    const told = await textOf(jobs.stream(started.job_id));
    first.close();

    const second = openDatabase(file);
    const again = runner(createSqliteJobStore(second.db, { keepFinished: 10 }));
    expect(again.get(started.job_id)).toEqual(finished);
    expect(finished).toMatchObject({ state: "succeeded", result: { found: 3 }, started_by: "Ann" });
    expect(await textOf(again.stream(started.job_id))).toBe(told);
    second.close();
  });

  it("that ran when the queen died are failed with that reason, and their log is complete", async () => {
    const file = join(temporaryFolder(), "queen.db");
    const first = openDatabase(file);
    const jobs = runner(createSqliteJobStore(first.db, { keepFinished: 10 }));
    const { promise: told, resolve } = Promise.withResolvers<undefined>();
    const { job_id } = jobs.run(request, async (signal) => {
      narrate({ action: "halfway", message: "Half of it is done." });
      resolve(undefined);
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("stopped"));
        });
      });
    });
    await told;
    // What a killed queen leaves: the row says "running", and nobody will ever finish it.
    const second = openDatabase(file);
    const store = createSqliteJobStore(second.db, { keepFinished: 10 });
    const [failed] = failInterrupted(store, store);
    expect(failed).toMatchObject({
      job_id,
      state: "failed",
      error: { message: expect.stringContaining("stopped") as string },
    });
    const text = await textOf(runner(store).stream(job_id));
    expect(text).toContain("Half of it is done.");
    expect(text).toMatch(/event: result\n.*"status":"failed".*\n\ndata: \[DONE\]\n\n$/u);
    expect(idsOf(text)).toEqual(idsOf(text).map((_, index) => index + 1));
    expect(store.running()).toEqual([]);
    second.close();
    await jobs.stop("the test is over").catch(() => {});
    first.close();
  });

  it("are resumed after the last event that somebody has", async () => {
    const jobs = runner(createSqliteJobStore(temporaryDatabase(), { keepFinished: 10 }));
    const { job_id, finished } = jobs.run(request, () => {
      for (const message of ["one", "two", "three"]) narrate({ action: "count", message });
    });
    await finished;
    const all = idsOf(await textOf(jobs.stream(job_id)));
    expect(idsOf(await textOf(jobs.stream(job_id, { afterSeq: 3 })))).toEqual(all.slice(3));
  });

  it("are listed newest first, and only so many finished ones are kept, with their events", () => {
    const db = temporaryDatabase();
    const store = createSqliteJobStore(db, { keepFinished: 2 });
    const end = { state: "succeeded" as const, finished_at: 2, error: null, result: null };
    for (const id of ["a", "b", "c", "d"]) store.create(job(id));
    store.append("b", { type: "result", seq: 1, ts: 1, job_id: "b", status: "succeeded" });
    for (const id of ["b", "c", "d"]) store.finish(id, end);
    expect(store.list({ limit: 10 }).map(({ job_id }) => job_id)).toEqual(["d", "c", "a"]);
    expect(store.last("b")).toBeUndefined();
    expect(store.running().map(({ job_id }) => job_id)).toEqual(["a"]);
  });
});
