import type { TelemetrySample } from "@rbee/contract";
import { windowMs } from "#lib/state/fleet-samples.ts";

export type Figure = "cpu_pct" | "ram_pct" | "gpu_pct" | "vram_pct";

/**
 * The SVG path of one figure over the last minute, newest at the right edge. A second without a figure breaks
 * the line. `now` in Unix ms; the box is `width` by `height`.
 */
export function sparkPath(
  samples: readonly TelemetrySample[],
  figure: Figure,
  now: number,
  { width, height }: { width: number; height: number },
): string {
  let drawing = false;
  const parts: string[] = [];
  for (const sample of samples) {
    const value = sample[figure];
    if (value === null || sample.ts <= now - windowMs) {
      drawing = false;
      continue;
    }
    const x = width - ((now - sample.ts) / windowMs) * width;
    const y = height - 1 - (Math.min(100, Math.max(0, value)) / 100) * (height - 2);
    parts.push(`${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
    drawing = true;
  }
  return parts.join("");
}
