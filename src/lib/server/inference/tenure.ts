/** A worker that nobody asked anything this long after it became ready is not waited for. */
const graceMs = 15_000;

/** Knows since when workers are ready, and whether they have been asked anything. */
export interface Tenure {
  /** A worker has just become ready. */
  ready(workerId: string): void;
  /** It has been given a request. */
  asked(workerId: string): void;
  /** Whether those who waited for it may still be on their way to it. */
  isFresh(workerId: string): boolean;
  /** Milliseconds since it became ready; endless for one whose start this queen did not see. */
  readyForMs(workerId: string): number;
}

/** More than a household has at once. */
const remembered = 256;

/** @param now milliseconds of a clock that never jumps. */
export function createTenure(now: () => number): Tenure {
  const workers = new Map<string, { readonly since: number; asked: boolean }>();
  return {
    ready(workerId) {
      workers.set(workerId, { since: now(), asked: false });
      for (const oldest of workers.keys()) {
        if (workers.size <= remembered) break;
        workers.delete(oldest);
      }
    },
    asked(workerId) {
      const worker = workers.get(workerId);
      if (worker !== undefined) worker.asked = true;
    },
    isFresh(workerId) {
      const worker = workers.get(workerId);
      return worker !== undefined && !worker.asked && now() - worker.since < graceMs;
    },
    readyForMs: (workerId) => now() - (workers.get(workerId)?.since ?? Number.NEGATIVE_INFINITY),
  };
}
