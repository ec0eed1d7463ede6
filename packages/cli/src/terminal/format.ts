const steps = [
  { unit: "d", ms: 86_400_000 },
  { unit: "h", ms: 3_600_000 },
  { unit: "min", ms: 60_000 },
  { unit: "s", ms: 1_000 },
] as const;

/** A span of time in the largest sensible unit: `3 min`. */
export function formatDuration(ms: number): string {
  const step = steps.find((candidate) => ms >= candidate.ms);
  return step === undefined ? `${Math.round(ms)} ms` : `${Math.floor(ms / step.ms)} ${step.unit}`;
}

/** How long something took or takes, to the tenth of a second while that says something: `0.8 s`, `42 s`, `3:07 min`. */
export function formatElapsed(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
  const whole = Math.round(ms / 1_000);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

/** A moment relative to now: `3 min ago`, `in 2 d`; a dash when there is none. */
export function formatMoment(at: number | null, now: number): string {
  if (at === null) return "–";
  if (Math.abs(at - now) < 1_000) return "now";
  // What was set to expire in 7 days a moment ago still reads so.
  return at < now ? `${formatDuration(now - at)} ago` : `in ${formatDuration(at - now + 5_000)}`;
}

/** Bytes as `3.4 MB` or `12.0 GB`; a dash when nobody knows. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return "–";
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** A value that may be unknown. */
export const orDash = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? "–" : String(value);

/** A share in percent that may be unknown. */
export const formatPercent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : `${Math.round(value)} %`;
