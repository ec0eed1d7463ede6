import type { Job, JobEvent, JobRequest } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";

/** The household's jobs, as routes and pages use them. */
export interface HouseholdJobs {
  /**
   * Starts an operation and answers at once.
   * @throws {RbeeError} `node_not_found` for a hive that is not enrolled, `overloaded` while the queen stops.
   */
  start(person: Person, request: JobRequest): { job_id: string; stream_url: string };
  /** The newest first. */
  list(query: { limit: number }): Job[];
  /** @throws {RbeeError} `job_not_found`. */
  get(jobId: string): Job;
  /** Everything the job has told so far. @throws {RbeeError} `job_not_found`. */
  events(jobId: string): JobEvent[];
  /** Tells a job to stop; without effect on one that is over. @throws {RbeeError} `job_not_found`. */
  cancel(person: Person, jobId: string): void;
  /** The job as server-sent events, those after `afterSeq`, to its end. @throws {RbeeError} `job_not_found`. */
  stream(jobId: string, options: { afterSeq: number; signal: AbortSignal }): ReadableStream<Uint8Array>;
}
