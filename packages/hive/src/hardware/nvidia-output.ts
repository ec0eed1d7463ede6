import type { Gpu } from "./gpu.ts";

/** Asked of every driver; an older one refuses the whole query when it does not know one of the fields. */
export const queryFields = [
  "index",
  "uuid",
  "name",
  "utilization.gpu",
  "memory.used",
  "memory.total",
  "temperature.gpu",
  "power.draw",
] as const;
/** Newer drivers only. */
export const capabilityField = "compute_cap";

/** One card in one line of the query. */
export interface NvidiaCard {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly util_pct: number | null;
  readonly vram_used_mb: number | null;
  readonly vram_total_mb: number | null;
  readonly temp_c: number | null;
  readonly power_w: number | null;
  readonly compute_capability: string | null;
}

/** One slice of a card in MIG mode. */
export interface MigInstance {
  readonly cardUuid: string;
  readonly profile: string;
  readonly uuid: string;
}

/** `[N/A]`, `[Not Supported]`, `[Unknown Error]` and the like are all unknown. */
function known(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

/** Reads one line of `--format=csv,noheader,nounits`; null when it is not one. */
export function parseQueryLine(line: string): NvidiaCard | null {
  const fields = line.split(",").map((field) => field.trim());
  const [index = "", uuid = "", name = "", util, used, total, temperature, power, capability = ""] = fields;
  if (fields.length < queryFields.length || !/^\d+$/u.test(index) || !/^GPU-/u.test(uuid) || name === "") return null;
  const utilization = known(util);
  return {
    index: Number(index),
    uuid,
    name,
    util_pct: utilization === null ? null : Math.min(100, utilization),
    vram_used_mb: known(used),
    vram_total_mb: known(total),
    temp_c: known(temperature),
    power_w: known(power),
    compute_capability: /^\d+\.\d+$/u.test(capability) ? capability : null,
  };
}

/** Reads `nvidia-smi -L`: the MIG slices under their cards, in order; lines of another kind are ignored. */
export function parseMigList(output: string): MigInstance[] {
  const instances: MigInstance[] = [];
  let cardUuid: string | undefined;
  for (const line of output.split("\n")) {
    const card = /^GPU \d+: .*\(UUID: (GPU-[0-9a-f-]+)\)/u.exec(line);
    if (card !== null) cardUuid = card[1];
    const slice = /^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)/u.exec(line);
    const [, profile, uuid] = slice ?? [];
    if (cardUuid !== undefined && profile !== undefined && uuid !== undefined)
      instances.push({ cardUuid, profile, uuid });
  }
  return instances;
}

/** Asked of every driver, for each process that computes on a card. */
export const appFields = ["pid", "gpu_uuid", "used_memory"] as const;

/** What one process holds on one card. */
export interface NvidiaApp {
  readonly pid: number;
  readonly gpuUuid: string;
  /** Null where the driver does not tell, as on Windows and in a MIG slice. */
  readonly usedMb: number | null;
}

/** Reads one line of `--query-compute-apps` as `--format=csv,noheader,nounits` prints it; null when it is not one. */
export function parseAppLine(line: string): NvidiaApp | null {
  const [pid = "", gpuUuid = "", used] = line.split(",").map((field) => field.trim());
  if (!/^[1-9]\d*$/u.test(pid) || !/^(?:GPU|MIG)-/u.test(gpuUuid)) return null;
  return { pid: Number(pid), gpuUuid, usedMb: known(used) };
}

/** Live figures of a card whose readings are too old are unknown; what it is stays known. */
export function forgetLive(card: NvidiaCard): NvidiaCard {
  return { ...card, util_pct: null, vram_used_mb: null, temp_c: null, power_w: null };
}

/**
 * The devices that CUDA offers: each card, or in its place its MIG slices. A slice's own memory and load are not in
 * the query's output and stay unknown.
 */
export function toGpus(cards: readonly NvidiaCard[], slices: readonly MigInstance[]): Gpu[] {
  const devices = [...cards]
    .sort((a, b) => a.index - b.index)
    .flatMap((card) => {
      const { index: _, uuid, ...shown } = card;
      const own = slices.filter(({ cardUuid }) => cardUuid === uuid);
      if (own.length === 0) return [{ ...shown, uuid }];
      return own.map((slice) => ({
        ...shown,
        name: `${card.name} MIG ${slice.profile}`,
        util_pct: null,
        vram_used_mb: null,
        vram_total_mb: null,
        uuid: slice.uuid,
      }));
    });
  return devices.map(({ uuid, ...shown }, position) => ({
    ...shown,
    id: `cuda:${position}`,
    backend: "cuda" as const,
    unified_memory: false,
    worker_env: { CUDA_VISIBLE_DEVICES: uuid },
  }));
}
