import type { FleetHive, FleetHistory, FleetSnapshot, TelemetrySample } from "@rbee/contract";
import { shareOf } from "#lib/format/quantities.ts";

/** How much past a sparkline shows. */
export const windowMs = 60_000;

export type Samples = Readonly<Record<string, readonly TelemetrySample[]>>;

const mean = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
};

/** GPU memory of all cards of a hive together in MB; null where no card tells. */
export function vramOf(hive: Pick<FleetHive, "node">): { usedMb: number | null; totalMb: number | null } {
  const cards = (hive.node?.gpus ?? []).filter((gpu) => gpu.vram_total_mb !== null);
  if (cards.length === 0) return { usedMb: null, totalMb: null };
  return {
    usedMb: cards.every((gpu) => gpu.vram_used_mb !== null)
      ? cards.reduce((sum, gpu) => sum + (gpu.vram_used_mb ?? 0), 0)
      : null,
    totalMb: cards.reduce((sum, gpu) => sum + (gpu.vram_total_mb ?? 0), 0),
  };
}

/** Mean use of a hive's GPUs in percent; null where none tells. */
export function gpuUseOf(hive: Pick<FleetHive, "node">): number | null {
  return mean((hive.node?.gpus ?? []).map((gpu) => gpu.util_pct));
}

/** One second of a hive as a sample; all null while its figures are stale, so that a line breaks instead of lying. */
export function sampleOf(hive: FleetHive, ts: number): TelemetrySample {
  if (hive.health !== "healthy" || hive.node === null)
    return { ts, cpu_pct: null, ram_pct: null, gpu_pct: null, vram_pct: null };
  const vram = vramOf(hive);
  return {
    ts,
    cpu_pct: hive.node.cpu_pct,
    ram_pct: shareOf(hive.node.ram_used_mb, hive.node.ram_total_mb),
    gpu_pct: gpuUseOf(hive),
    vram_pct: shareOf(vram.usedMb, vram.totalMb),
  };
}

const within = (samples: readonly TelemetrySample[], now: number) =>
  samples.filter((sample) => sample.ts > now - windowMs);

/** Replaces the past by what the queen remembers. */
export function fromHistory(history: FleetHistory): Samples {
  return history.hives;
}

/** Adds a snapshot to the past, drops what is older than a minute, and forgets hives that are gone. */
export function withSnapshot(samples: Samples, snapshot: FleetSnapshot): Samples {
  return Object.fromEntries(
    snapshot.hives.map((hive) => {
      const past = within(samples[hive.hive_id] ?? [], snapshot.ts).filter((sample) => sample.ts < snapshot.ts);
      return [hive.hive_id, [...past, sampleOf(hive, snapshot.ts)]];
    }),
  );
}
