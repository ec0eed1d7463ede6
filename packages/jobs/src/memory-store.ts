import type { Job } from "@rbee/contract";
import type { JobStore } from "./job-store.ts";

/**
 * Jobs kept as long as the process lives: a hive's.
 * @param options `keepFinished`: how many finished jobs are kept (default 100); `forgotten` hears of every one dropped.
 */
export function createMemoryStore(
  options: { keepFinished?: number; forgotten?: (jobId: string) => void } = {},
): JobStore {
  const { keepFinished = 100, forgotten = () => {} } = options;
  const jobs = new Map<string, Job>();
  /** Oldest first. */
  const finished: string[] = [];
  return {
    create(job) {
      jobs.set(job.job_id, job);
    },
    finish(jobId, end) {
      const job = jobs.get(jobId);
      if (job === undefined) return;
      jobs.set(jobId, { ...job, ...end });
      finished.push(jobId);
      for (const old of finished.splice(0, Math.max(0, finished.length - keepFinished))) {
        jobs.delete(old);
        forgotten(old);
      }
    },
    get: (jobId) => jobs.get(jobId),
    list: ({ limit }) => [...jobs.values()].reverse().slice(0, limit),
    running: () => [...jobs.values()].filter(({ state }) => state === "running"),
  };
}
