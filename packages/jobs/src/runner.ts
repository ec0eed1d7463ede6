import { randomUUID } from "node:crypto";
import { RbeeError, type Job, type JobOperation } from "@rbee/contract";
import { systemClock, type Clock } from "./clock.ts";
import type { EventLog } from "./event-log.ts";
import { streamEvents } from "./event-stream.ts";
import { JobRun } from "./job-run.ts";
import type { JobStore } from "./job-store.ts";
import { createMemoryLog } from "./memory-log.ts";
import { createMemoryStore } from "./memory-store.ts";
import type { ProcessLog } from "./process-log.ts";
import { processSecrets, Redactor } from "./redaction.ts";

export interface JobsOptions {
  store: JobStore;
  log: EventLog;
  /** Where starts and ends of jobs, unforeseen errors with their stacks, and late narration go. */
  processLog: ProcessLog;
  /** Who speaks when nothing else is said: `queen`, or `hive`. */
  actor: string;
  clock?: Clock;
  /** How long an operation may take to stop once it was told to, in milliseconds. Default 5 000. */
  graceMs?: number;
}

export interface JobRequest {
  operation: JobOperation;
  /** What it is about in a person's words, for example `gaming-pc`. */
  subject: string;
  /** What "try again" would send; kept without secrets. */
  input: Record<string, unknown>;
  /** Name of the person; null when rbee itself starts it. */
  startedBy: string | null;
  /** Time limit of the whole job in milliseconds. */
  timeoutMs: number;
  /** Values that must not show up anywhere, for example a password that came with the request. */
  secrets?: readonly string[];
}

export interface StartedJob {
  job_id: string;
  /** The job once it is over, however it ended. Never rejects. */
  finished: Promise<Job>;
}

/** The jobs of one process: starts them, follows them, stops them. */
export interface Jobs {
  /**
   * Starts a job and answers at once. What `operation` gives is the result's `data` (what is not a record, under
   * `value`); what it throws is the result's error.
   * @throws {RbeeError} `overloaded` while the process is stopping.
   */
  run(request: JobRequest, operation: (signal: AbortSignal) => unknown): StartedJob;
  /** @throws {RbeeError} `job_not_found` */
  get(jobId: string): Job;
  /** The newest first; at most `limit`, default 100. */
  list(query?: { limit?: number }): Job[];
  /**
   * Tells a job to stop; its result is then `cancelled`. Without effect on a job that is stopping or over.
   * @param reason shown to the person, default `The job was cancelled.`
   * @throws {RbeeError} `job_not_found`
   */
  cancel(jobId: string, reason?: string): void;
  /**
   * The job's events as server-sent events, all of them or those after `afterSeq`, up to `[DONE]`.
   * @throws {RbeeError} `job_not_found`
   */
  stream(jobId: string, options?: { afterSeq?: number; signal?: AbortSignal }): ReadableStream<Uint8Array>;
  /** Starts no more jobs, cancels those that run, and resolves when all are over (at most the grace time, and clean-up, later). */
  stop(reason: string): Promise<void>;
}

/** Makes the job runner of a process. */
export function createJobs(options: JobsOptions): Jobs {
  const { store, log, processLog, actor, clock = systemClock, graceMs = 5_000 } = options;
  const running = new Map<string, { run: JobRun; finished: Promise<Job> }>();
  let stopping = false;

  const get = (jobId: string): Job => {
    const job = store.get(jobId);
    if (job !== undefined) return job;
    throw new RbeeError("job_not_found", `There is no job ${processSecrets.text(jobId)}.`, {
      suggestion: "`rbee job list` shows the jobs there are.",
    });
  };

  return {
    run(request, operation) {
      if (stopping) throw new RbeeError("overloaded", "rbee is stopping and starts no more jobs.", { retryAfterS: 10 });
      const secrets = new Redactor(processSecrets);
      for (const secret of request.secrets ?? []) secrets.register(secret);
      const job = newJob(request, secrets, clock.now());
      store.create(job);
      const { timeoutMs } = request;
      const run = new JobRun({ job, timeoutMs, actor, graceMs, clock, log, store, processLog, secrets });
      processLog.info({ job_id: job.job_id, operation: job.operation, subject: job.subject }, "Job started.");
      const finished = Promise.resolve()
        .then(() => run.perform(async () => operation(run.scope.signal)))
        .then(() => {
          running.delete(job.job_id);
          return store.get(job.job_id) ?? job;
        });
      running.set(job.job_id, { run, finished });
      return { job_id: job.job_id, finished };
    },
    get,
    list: ({ limit = 100 } = {}) => store.list({ limit }),
    cancel(jobId, reason = "The job was cancelled.") {
      get(jobId);
      running.get(jobId)?.run.cancel(reason);
    },
    stream(jobId, { afterSeq = 0, signal } = {}) {
      get(jobId);
      return streamEvents({ jobId, log, clock, afterSeq, signal, isRunning: () => running.has(jobId) });
    },
    async stop(reason) {
      stopping = true;
      const all = [...running.values()];
      for (const { run } of all) run.cancel(reason);
      await Promise.all(all.map(({ finished }) => finished));
    },
  };
}

function newJob(request: JobRequest, secrets: Redactor, now: number): Job {
  return {
    job_id: `job:${randomUUID()}`,
    operation: request.operation,
    subject: secrets.text(request.subject),
    state: "running",
    started_by: request.startedBy,
    created_at: now,
    finished_at: null,
    error: null,
    result: null,
    input: secrets.record(request.input),
  };
}

/**
 * Job runner that keeps everything in memory: a hive's.
 * @param options `keepFinished`: how many finished jobs, with their logs, are kept; default 100.
 */
export function createMemoryJobs(options: Omit<JobsOptions, "store" | "log"> & { keepFinished?: number }): Jobs {
  const { keepFinished = 100, ...rest } = options;
  const log = createMemoryLog();
  const store = createMemoryStore({
    keepFinished,
    forgotten: (jobId) => {
      log.forget(jobId);
    },
  });
  return createJobs({ ...rest, store, log });
}
