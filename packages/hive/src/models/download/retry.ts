/** A download is tried so often in a row. */
export const attemptLimit = 6;
const firstWaitMs = 100;
/** What a server asks to wait is believed up to this. */
const longestRetryAfterMs = 5 * 60_000;
/** An attempt that brought this much was no failure of the kind that repeats itself: counting begins anew. */
const worthwhileBytes = 8 * 1024 * 1024;

/**
 * How long to wait before the next attempt, in milliseconds: 100 ms doubling, times 0.5 to 1.5, or what the server
 * asked for; null when the attempts are used up.
 * @param failures attempts that have failed in a row, from 1.
 * @param random from 0 to 1.
 */
export function retryDelayMs(failures: number, random: number, retryAfterS?: number): number | null {
  if (failures >= attemptLimit) return null;
  const backoffMs = firstWaitMs * 2 ** (failures - 1) * (0.5 + random);
  return retryAfterS === undefined
    ? backoffMs
    : Math.max(backoffMs, Math.min(retryAfterS * 1_000, longestRetryAfterMs));
}

/** Failures in a row after one more attempt that brought so many bytes. */
export function failuresInARow(before: number, bytes: number): number {
  return bytes >= worthwhileBytes ? 1 : before + 1;
}
