import { RbeeError } from "@rbee/contract";
import { RateLimiterMemory } from "rate-limiter-flexible";

/** So many attempts under one key in a window; all in memory, so a restart forgets them. */
export interface AttemptLimit {
  /** Counts an attempt before it is made. @throws {RbeeError} `rate_limited` with `retryAfterS`. */
  attempt(key: string): Promise<void>;
  /** Forgets a key's attempts after a success. */
  forget(key: string): Promise<void>;
}

export function attemptLimit(options: { attempts: number; windowS: number; what: string }): AttemptLimit {
  const limiter = new RateLimiterMemory({ points: options.attempts, duration: options.windowS });
  return {
    async attempt(key) {
      const refusal = await limiter.consume(key).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (refusal === undefined) return;
      if (refusal instanceof Error) throw refusal;
      const retryAfterS = Math.ceil(((refusal as { msBeforeNext?: number }).msBeforeNext ?? 1000) / 1000);
      throw new RbeeError("rate_limited", `Too many attempts to ${options.what}.`, {
        retryAfterS,
        suggestion: `Wait ${retryAfterS} s and try again.`,
      });
    },
    async forget(key) {
      await limiter.delete(key);
    },
  };
}
