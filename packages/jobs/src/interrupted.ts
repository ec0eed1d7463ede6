import { RbeeError, type Job, type ResultEvent } from "@rbee/contract";
import { systemClock, type Clock } from "./clock.ts";
import type { EventStore } from "./event-log.ts";
import type { JobEnd, JobStore } from "./job-store.ts";

/**
 * Ends the jobs that were running when the process died: call it once at start, before any job is started. Each gets
 * its result event, `failed` with that reason, unless its log has one already; that one then counts.
 * @returns the jobs as they are now.
 */
export function failInterrupted(
  store: JobStore,
  log: EventStore,
  options: { process?: string; clock?: Clock } = {},
): Job[] {
  const { process = "queen", clock = systemClock } = options;
  return store.running().map((job) => {
    const last = log.last(job.job_id);
    const result = last?.type === "result" ? last : interruption(job.job_id, (last?.seq ?? 0) + 1, process, clock);
    if (result !== last) log.append(job.job_id, result);
    const end: JobEnd = {
      state: result.status,
      finished_at: result.ts,
      error: result.error ?? null,
      result: result.data ?? null,
    };
    store.finish(job.job_id, end);
    return { ...job, ...end };
  });
}

function interruption(jobId: string, seq: number, process: string, clock: Clock): ResultEvent {
  const { error } = new RbeeError("internal_error", `The ${process} stopped while this job was running.`, {
    details: { interrupted: true },
    suggestion: "Start it again; what was done already is found and kept where that is safe.",
  }).toBody();
  return { type: "result", seq, ts: clock.now(), job_id: jobId, status: "failed", error };
}
