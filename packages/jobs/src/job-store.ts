import type { Job, JobOutcome } from "@rbee/contract";

/** How a job ended, as it is kept. */
export interface JobEnd {
  state: JobOutcome;
  finished_at: number;
  error: Job["error"];
  result: Job["result"];
}

/** Where jobs are kept. All calls are synchronous; another kind of storage implements these five. */
export interface JobStore {
  create(job: Job): void;
  finish(jobId: string, end: JobEnd): void;
  get(jobId: string): Job | undefined;
  /** The newest first. */
  list(query: { limit: number }): Job[];
  /** Every job that has not ended. */
  running(): Job[];
}
