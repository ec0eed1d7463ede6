import type { RbeeError } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";
import type { UsageEntry } from "#lib/server/usage/index.ts";
import type { TokenCounts } from "./metering.ts";

/** What one request turned out to be, told once when it is over. */
export interface RequestLog {
  /** The hive that answers. */
  at(hiveId: string): void;
  /** Ends the entry; only the first call counts. `firstTextAt` is by `performance.now()`. */
  end(outcome: {
    error: RbeeError | null;
    timings: TokenCounts | null;
    firstTextAt: number | null;
    /** Whether somebody answered who does not count; then it is unknown what it cost. */
    uncounted?: boolean;
  }): void;
}

export function openRequestLog(options: {
  person: Person;
  keyName: string | null;
  model: string;
  requestId: string;
  now: () => number;
  /** Hears which hive answers. */
  at?: (hiveId: string) => void;
  record: (entry: UsageEntry) => void;
}): RequestLog {
  const { person, keyName, model, requestId, now, at, record } = options;
  const startedAt = now();
  const clock = performance.now();
  let hiveId: string | null = null;
  let ended = false;
  return {
    at(id) {
      hiveId = id;
      at?.(id);
    },
    end({ error, timings, firstTextAt, uncounted = false }) {
      if (ended) return;
      ended = true;
      const cached = timings?.cache_n ?? 0;
      record({
        request_id: requestId,
        user_id: person.user.id,
        user: person.user.name,
        key_name: keyName,
        model,
        hive_id: hiveId,
        started_at: startedAt,
        duration_ms: performance.now() - clock,
        time_to_first_token_ms: firstTextAt === null ? null : firstTextAt - clock,
        prompt_tokens: uncounted ? null : cached + (timings?.prompt_n ?? 0),
        cached_tokens: uncounted ? null : cached,
        completion_tokens: uncounted ? null : (timings?.predicted_n ?? 0),
        status: error?.status ?? 200,
        error_code: error?.code ?? null,
      });
    },
  };
}
