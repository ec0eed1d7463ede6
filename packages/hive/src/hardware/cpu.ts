import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { promisify } from "node:util";

export interface CpuInventory {
  readonly model: string | null;
  /** Physical cores; null when the system does not say. */
  readonly cores: number | null;
  readonly threads: number;
}

/** Time all cores together spent since boot, in any one unit. */
export interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** Reads `/proc/cpuinfo`: the model, and the cores as distinct pairs of socket and core number. */
export function parseCpuinfo(text: string): { model: string | null; cores: number | null } {
  const model = /^model name\s*:\s*(.+)$/mu.exec(text)?.[1]?.trim() ?? null;
  const cores = new Set<string>();
  for (const processor of text.split(/\n\s*\n/u)) {
    const core = /^core id\s*:\s*(\d+)$/mu.exec(processor)?.[1];
    const socket = /^physical id\s*:\s*(\d+)$/mu.exec(processor)?.[1];
    if (core !== undefined) cores.add(`${socket ?? "0"}/${core}`);
  }
  return { model, cores: cores.size === 0 ? null : cores.size };
}

/** Physical cores by `/sys/devices/system/cpu/cpu<n>/topology`, for processors whose cpuinfo has no core numbers. */
export function coresFromTopology(sysRoot: string): number | null {
  const base = `${sysRoot}/devices/system/cpu`;
  const cores = new Set<string>();
  try {
    for (const name of readdirSync(base).filter((entry) => /^cpu\d+$/u.test(entry))) {
      const read = (file: string) => readFileSync(`${base}/${name}/topology/${file}`, "utf8").trim();
      cores.add(`${read("physical_package_id")}/${read("core_id")}`);
    }
  } catch {
    return null;
  }
  return cores.size === 0 ? null : cores.size;
}

/** Reads the first line of `/proc/stat`; null when it is not in its format. Guest time is part of user time there. */
export function parseProcStat(text: string): CpuTimes | null {
  const match = /^cpu\s+(.+)$/mu.exec(text);
  const values = (match?.[1] ?? "").trim().split(/\s+/u).slice(0, 8).map(Number);
  if (values.length < 4 || values.some((value) => !Number.isFinite(value))) return null;
  const total = values.reduce((sum, value) => sum + value, 0);
  const idle = (values[3] ?? 0) + (values[4] ?? 0);
  return { busy: total - idle, total };
}

/** Share of all cores that was busy between two readings, 0 to 100; null when no time has passed. */
export function cpuPercent(before: CpuTimes, after: CpuTimes): number | null {
  const total = after.total - before.total;
  if (total <= 0) return null;
  return Math.min(100, Math.max(0, ((after.busy - before.busy) / total) * 100));
}

/** CPU time since boot; null when it cannot be read. */
export function readCpuTimes({ platform = process.platform, procRoot = "/proc" } = {}): CpuTimes | null {
  if (platform === "linux") {
    try {
      return parseProcStat(readFileSync(`${procRoot}/stat`, "utf8"));
    } catch {
      return null;
    }
  }
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    busy += all - times.idle;
    total += all;
  }
  return total === 0 ? null : { busy, total };
}

/** Load average over one minute; null on systems that have none. */
export function readLoad1(platform = process.platform): number | null {
  return platform === "win32" ? null : (loadavg()[0] ?? null);
}

const execute = promisify(execFile);

async function macCores(): Promise<number | null> {
  try {
    const { stdout } = await execute("sysctl", ["-n", "hw.physicalcpu"], { timeout: 2_000 });
    const cores = Number(stdout.trim());
    return Number.isInteger(cores) && cores > 0 ? cores : null;
  } catch {
    return null;
  }
}

/** What processor this machine has. */
export async function readCpuInventory({
  platform = process.platform,
  procRoot = "/proc",
  sysRoot = "/sys",
} = {}): Promise<CpuInventory> {
  const listed = cpus();
  const named = listed[0]?.model.trim();
  const model = named === undefined || named === "" || named === "unknown" ? null : named;
  const threads = Math.max(1, listed.length || availableParallelism());
  if (platform === "darwin") return { model, cores: await macCores(), threads };
  if (platform !== "linux") return { model, cores: null, threads };
  try {
    const info = parseCpuinfo(readFileSync(`${procRoot}/cpuinfo`, "utf8"));
    return { model: info.model ?? model, cores: info.cores ?? coresFromTopology(sysRoot), threads };
  } catch {
    return { model, cores: coresFromTopology(sysRoot), threads };
  }
}
