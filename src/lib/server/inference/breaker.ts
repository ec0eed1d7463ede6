import type { RbeeError } from "@rbee/contract";
import type { Failing } from "./views.ts";

/** So many loads that fail in a row open it. */
const failuresToOpen = 3;
const firstPauseMs = 30_000;
const longestPauseMs = 5 * 60_000;

interface Record {
  readonly failures: number;
  readonly error: RbeeError;
  /** Until when nobody tries; null while somebody may. */
  readonly closedUntil: number | null;
}

/**
 * Remembers which models fail to load on which hives. After three failures in a row a model is left alone there for
 * 30 s, then one try is made, and each failure more doubles the pause up to five minutes. One success forgets it all.
 */
export interface Breaker {
  failed(model: string, hiveId: string, error: RbeeError): void;
  succeeded(model: string, hiveId: string): void;
  /** The hives on which this model is not to be loaded now. */
  open(model: string): ReadonlyMap<string, Failing>;
  /** How loading it there has failed, if it has since the last success. @returns `retryAt` as `now` counts. */
  state(model: string, hiveId: string): { failures: number; error: RbeeError; retryAt: number | null } | undefined;
}

/**
 * @param now milliseconds.
 * @param keyOf what a model is remembered by: what failed with other settings does not count.
 */
export function createBreaker(now: () => number, keyOf: (model: string) => string = (model) => model): Breaker {
  const models = new Map<string, Map<string, Record>>();
  const nothing: ReadonlyMap<string, Failing> = new Map();

  const isOpen = ({ closedUntil }: Record) => closedUntil !== null && now() < closedUntil;

  return {
    failed(model, hiveId, error) {
      const key = keyOf(model);
      const hives = models.get(key) ?? new Map<string, Record>();
      models.set(key, hives);
      const failures = (hives.get(hiveId)?.failures ?? 0) + 1;
      const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - failuresToOpen));
      hives.set(hiveId, { failures, error, closedUntil: failures < failuresToOpen ? null : now() + pause });
    },
    succeeded(model, hiveId) {
      if (models.size === 0) return;
      const key = keyOf(model);
      const hives = models.get(key);
      hives?.delete(hiveId);
      if (hives?.size === 0) models.delete(key);
    },
    open(model) {
      const hives = models.size === 0 ? undefined : models.get(keyOf(model));
      if (hives === undefined) return nothing;
      return new Map(
        [...hives].flatMap(([hiveId, record]) =>
          isOpen(record)
            ? [
                [
                  hiveId,
                  {
                    failures: record.failures,
                    error: record.error,
                    retryAfterS: ((record.closedUntil ?? 0) - now()) / 1_000,
                  },
                ],
              ]
            : [],
        ),
      );
    },
    state(model, hiveId) {
      const record = models.get(keyOf(model))?.get(hiveId);
      if (record === undefined) return undefined;
      const { failures, error } = record;
      return { failures, error, retryAt: isOpen(record) ? record.closedUntil : null };
    },
  };
}
