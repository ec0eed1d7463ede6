/** After this long, a lasting change shows to about two thirds. */
const timeConstantMs = 3_000;

/**
 * Exponential moving average that takes the real distance between samples into account, so that a late sample
 * counts for more. The first known value starts it; an unknown value is passed on as unknown.
 */
export function smooth(previous: number | null, value: number | null, elapsedMs: number): number | null {
  if (value === null) return null;
  if (previous === null) return value;
  const weight = 1 - Math.exp(-Math.max(0, elapsedMs) / timeConstantMs);
  return previous + weight * (value - previous);
}
