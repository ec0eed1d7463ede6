/** Who waits this long may ask those in the way to take no new requests. */
const patienceMs = 10_000;

/** A model whose requests wait for memory that others use. */
interface Waiting {
  readonly since: number;
  /** How many requests wait. */
  requests: number;
  /** The hive whose memory is waited for. */
  hiveId: string;
  /** The workers whose end would make room. */
  frees: ReadonlySet<string>;
}

/**
 * The order in which models get memory that others use now: who came first goes first, on each hive. A worker in the
 * way that is never idle takes no new requests once the first has waited ten seconds and it has itself been there as
 * long, so that two busy models which do not fit together take turns instead of one of them waiting for ever.
 */
export interface MemoryLine {
  /** A request for a model waits, for as long as `leave` is not called. */
  join(model: string): { waitsFor(hiveId: string, frees: readonly string[]): void; leave(): void };
  /** Whether another model that waits for memory of this hive comes before this one. */
  isBehind(model: string, hiveId: string): boolean;
  /** Whether a worker is to take no new requests. */
  yields(workerId: string): boolean;
}

/**
 * @param now milliseconds of a clock that never jumps.
 * @param readyForMs how long a worker has been ready.
 */
export function createMemoryLine(now: () => number, readyForMs: (workerId: string) => number): MemoryLine {
  // In the order in which they came.
  const line = new Map<string, Waiting>();

  return {
    join(model) {
      const place = line.get(model) ?? { since: now(), requests: 0, hiveId: "", frees: new Set<string>() };
      line.set(model, place);
      place.requests += 1;
      let left = false;
      return {
        waitsFor(hiveId, frees) {
          if (left) return;
          place.hiveId = hiveId;
          place.frees = new Set(frees);
        },
        leave() {
          if (left) return;
          left = true;
          place.requests -= 1;
          if (place.requests === 0) line.delete(model);
        },
      };
    },
    isBehind(model, hiveId) {
      for (const [other, place] of line) {
        if (other === model) return false;
        if (place.hiveId === hiveId) return true;
      }
      return false;
    },
    yields(workerId) {
      if (line.size === 0) return false;
      const served = new Set<string>();
      for (const { hiveId, since, frees } of line.values()) {
        if (served.has(hiveId)) continue;
        served.add(hiveId);
        if (frees.has(workerId)) return now() - since >= patienceMs && readyForMs(workerId) >= patienceMs;
      }
      return false;
    },
  };
}
