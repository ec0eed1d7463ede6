const delaysMs = [1_000, 2_000, 4_000, 8_000, 16_000] as const;
/** A worker that stayed ready this long has recovered: its next crash counts as the first. */
const recoveredAfterMs = 60_000;

/** How long to wait before the next start after `crashes` crashes in a row; null when it is not worth another one. */
export function restartDelayMs(crashes: number): number | null {
  return delaysMs[crashes - 1] ?? null;
}

/** Crashes in a row, this one included. `readyForMs` is null when the process died before it was ready. */
export function crashesInARow(before: number, readyForMs: number | null): number {
  return readyForMs !== null && readyForMs >= recoveredAfterMs ? 1 : before + 1;
}
