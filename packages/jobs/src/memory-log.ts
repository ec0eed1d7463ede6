import type { JobEvent } from "@rbee/contract";
import { observable, type EventLog } from "./event-log.ts";

export interface MemoryLog extends EventLog {
  /** Drops everything about a job. */
  forget(jobId: string): void;
}

/** An event log that lives as long as the process: a hive's. */
export function createMemoryLog(): MemoryLog {
  const logs = new Map<string, JobEvent[]>();
  const log = observable({
    append(jobId, event) {
      const events = logs.get(jobId);
      if (events === undefined) logs.set(jobId, [event]);
      else events.push(event);
    },
    // A job's events count up from 1 without a gap, so that `seq` is the place in the list.
    read: (jobId, afterSeq, limit) => logs.get(jobId)?.slice(afterSeq, afterSeq + limit) ?? [],
    last: (jobId) => logs.get(jobId)?.at(-1),
  });
  return {
    ...log,
    forget(jobId) {
      logs.delete(jobId);
    },
  };
}
