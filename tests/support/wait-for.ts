/**
 * Polls until `probe` gives something other than undefined, null or false.
 * @param what completes the sentence "… did not happen within N s".
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { limitMs = 15_000, everyMs = 25 }: { limitMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + limitMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`${what} did not happen within ${limitMs / 1000} s`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
