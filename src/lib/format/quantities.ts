/** What stands where a value is not known. Never a zero. */
export const unknown = "–";

const group = (value: number, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A count with thousands separated: `12,480`. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? unknown : group(value);
}

/** Memory in GB (of 1024 MB) with one decimal: `15.6 GB`. Input in MB. */
export function memory(mb: number | null | undefined): string {
  return mb === null || mb === undefined ? unknown : `${group(mb / 1024, 1)} GB`;
}

/** Used and total memory with the unit once: `3.1 / 15.6 GB`. Inputs in MB. */
export function memoryOf(usedMb: number | null | undefined, totalMb: number | null | undefined): string {
  const used = usedMb === null || usedMb === undefined ? unknown : group(usedMb / 1024, 1);
  if (totalMb === null || totalMb === undefined) return used === unknown ? unknown : `${used} GB`;
  return `${used} / ${group(totalMb / 1024, 1)} GB`;
}

/** A file's size: GB (of 10^9 bytes) with one decimal, MB below a tenth of that: `3.9 MB`, `4.1 GB`. */
export function fileSize(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return unknown;
  return bytes < 1e8 ? `${group(bytes / 1e6, 1)} MB` : `${group(bytes / 1e9, 1)} GB`;
}

/** A share of 100 without decimals: `12%`. */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? unknown : `${Math.round(value)}%`;
}

/** Tokens a second: one decimal under 10, none above: `8.4`, `41`. */
export function speed(tokensPerS: number | null | undefined): string {
  if (tokensPerS === null || tokensPerS === undefined) return unknown;
  return group(tokensPerS, tokensPerS < 9.95 && tokensPerS > 0 ? 1 : 0);
}

/** A model's number of parameters: `3.6 M`, `7.2 B`. */
export function parameters(value: number | null | undefined): string {
  if (value === null || value === undefined) return unknown;
  if (value >= 1e9) return `${group(value / 1e9, 1)} B`;
  if (value >= 1e6) return `${group(value / 1e6, 1)} M`;
  return group(value);
}

/** The share of `used` in `total`, 0 to 100, or null when either is not known. */
export function shareOf(used: number | null | undefined, total: number | null | undefined): number | null {
  if (used === null || used === undefined || total === null || total === undefined || total <= 0) return null;
  return Math.min(100, Math.max(0, (used / total) * 100));
}

/** A whole number with its unit: `61 °C`. */
export function withUnit(value: number | null | undefined, unit: string): string {
  return value === null || value === undefined ? unknown : `${Math.round(value)} ${unit}`;
}
