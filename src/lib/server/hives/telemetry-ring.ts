import type { NodeTelemetry, TelemetrySample } from "@rbee/contract";

const samplesKept = 60;

const share = (used: number | null, total: number | null): number | null =>
  used === null || total === null || total <= 0 ? null : Math.min(100, (used / total) * 100);

/** The mean of the values that are known; null when none is. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value * 10) / 10);

/** One sample for the sparklines out of a heartbeat's telemetry. */
export function sampleOf(node: NodeTelemetry, ts: number): TelemetrySample {
  return {
    ts,
    cpu_pct: rounded(node.cpu_pct),
    ram_pct: rounded(share(node.ram_used_mb, node.ram_total_mb)),
    gpu_pct: rounded(mean(node.gpus.map((gpu) => gpu.util_pct))),
    vram_pct: rounded(mean(node.gpus.map((gpu) => share(gpu.vram_used_mb, gpu.vram_total_mb)))),
  };
}

/** The last 60 samples of one hive, oldest first. */
export interface TelemetryRing {
  push(sample: TelemetrySample): void;
  list(): TelemetrySample[];
}

export function createTelemetryRing(): TelemetryRing {
  const kept: TelemetrySample[] = [];
  let next = 0;
  return {
    push(sample) {
      kept[next] = sample;
      next = (next + 1) % samplesKept;
    },
    list: () => (kept.length < samplesKept ? [...kept] : [...kept.slice(next), ...kept.slice(0, next)]),
  };
}
