import type { JobEvent } from "@rbee/contract";

/**
 * Where the events of jobs are kept: the one thing to write for another kind of storage.
 * All calls are synchronous: when `append` is back, the event is there for every reader.
 */
export interface EventStore {
  /** Keeps an event; its `seq` is one more than the last one's. Throws when it cannot be kept. */
  append(jobId: string, event: JobEvent): void;
  /** At most `limit` events with a `seq` above `afterSeq`, in order. */
  read(jobId: string, afterSeq: number, limit: number): JobEvent[];
  /** The job's newest event. */
  last(jobId: string): JobEvent | undefined;
}

/** An event store that also tells when something was added. */
export interface EventLog extends EventStore {
  /** Calls `listener` after every event of the job, without it: the listener reads. The answer ends the subscription. */
  subscribe(jobId: string, listener: () => void): () => void;
}

/** Makes an event store observable. All writers must go through the log that this gives. */
export function observable(store: EventStore): EventLog {
  const listeners = new Map<string, Set<() => void>>();
  return {
    append(jobId, event) {
      store.append(jobId, event);
      for (const listener of listeners.get(jobId) ?? []) listener();
    },
    read: (jobId, afterSeq, limit) => store.read(jobId, afterSeq, limit),
    last: (jobId) => store.last(jobId),
    subscribe(jobId, listener) {
      const own = () => {
        listener();
      };
      const all = listeners.get(jobId) ?? new Set();
      listeners.set(jobId, all.add(own));
      return () => {
        all.delete(own);
        if (all.size === 0 && listeners.get(jobId) === all) listeners.delete(jobId);
      };
    },
  };
}
