import type { Job } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { createMemoryStore } from "./memory-store.ts";
import { silentLog } from "./process-log.ts";
import { createMemoryJobs } from "./runner.ts";

const job: Job = {
  job_id: "",
  operation: "self_check",
  subject: "",
  state: "running",
  started_by: null,
  created_at: 0,
  finished_at: null,
  error: null,
  result: null,
  input: {},
};

describe("jobs in memory", () => {
  it("keep the newest finished jobs, and drop the log of older ones", async () => {
    const jobs = createMemoryJobs({ processLog: silentLog, actor: "hive", keepFinished: 2 });
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { job_id, finished } = jobs.run(
        { operation: "self_check", subject: String(i), input: {}, startedBy: null, timeoutMs: 1_000 },
        () => i,
      );
      await finished;
      ids.unshift(job_id);
    }
    expect(jobs.list().map(({ job_id }) => job_id)).toEqual(ids.slice(0, 2));
    expect(jobs.list({ limit: 1 })[0]?.result).toEqual({ value: 3 });
    expect(() => jobs.stream(ids[3] ?? "")).toThrow(expect.objectContaining({ code: "job_not_found" }));
  });

  it("tell of each job that is dropped, the oldest first, and never drop one that runs", () => {
    const dropped: string[] = [];
    const store = createMemoryStore({ keepFinished: 1, forgotten: (jobId) => dropped.push(jobId) });
    for (const job_id of ["running", "first", "second", "third"]) store.create({ ...job, job_id });
    for (const job_id of ["first", "second", "third"])
      store.finish(job_id, { state: "succeeded", finished_at: 1, error: null, result: null });
    expect(dropped).toEqual(["first", "second"]);
    expect(store.list({ limit: 10 }).map(({ job_id }) => job_id)).toEqual(["third", "running"]);
    expect(store.running().map(({ job_id }) => job_id)).toEqual(["running"]);
  });
});
