import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { promisify } from "node:util";

export interface CpuInventory {
  readonly model: string | null;
  /** Physical cores; null when the system does not say. */
  readonly cores: number | null;
  /** Physical cores that are no efficiency cores; null when all are alike, or the system does not say. */
  readonly fastCores: number | null;
  readonly threads: number;
  /** Threads that this process may use: a container, or an affinity, can allow fewer than there are. */
  readonly usableThreads: number;
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

/** The numbers of a list as the kernel writes it: `0-3,8`. */
function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first = NaN, last = first] = part.split("-").map(Number);
      return Number.isInteger(first) && Number.isInteger(last) && part !== ""
        ? Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n)
        : [];
    });
}

/** Of processors whose cores differ, those with at least this share of the fastest one's capacity are fast. */
const fastShare = 0.75;

/**
 * Physical cores that are no efficiency cores: the kernel lists them for Intel's hybrid processors, and tells every
 * core's capacity on ARM. Null when all cores are alike or nothing is told.
 */
export function fastCoresFrom(sysRoot: string): number | null {
  const base = `${sysRoot}/devices/system/cpu`;
  const read = (file: string) => readFileSync(file, "utf8").trim();
  const coreOf = (cpu: number) =>
    `${read(`${base}/cpu${cpu}/topology/physical_package_id`)}/${read(`${base}/cpu${cpu}/topology/core_id`)}`;
  const distinct = (all: readonly number[]) => new Set(all.map(coreOf)).size;
  try {
    const listed = parseCpuList(read(`${sysRoot}/devices/cpu_core/cpus`));
    if (listed.length > 0) return distinct(listed);
  } catch {
    // No hybrid processor of Intel's.
  }
  try {
    const all = readdirSync(base).flatMap((name) => (/^cpu\d+$/u.test(name) ? [Number(name.slice(3))] : []));
    const capacities = all.map((cpu) => ({ cpu, capacity: Number(read(`${base}/cpu${cpu}/cpu_capacity`)) }));
    const most = Math.max(...capacities.map(({ capacity }) => capacity));
    const fast = capacities.filter(({ capacity }) => capacity >= most * fastShare);
    return fast.length === 0 || fast.length === all.length ? null : distinct(fast.map(({ cpu }) => cpu));
  } catch {
    return null;
  }
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

/** A number that macOS tells; null when it does not. */
async function sysctl(name: string): Promise<number | null> {
  try {
    const { stdout } = await execute("sysctl", ["-n", name], { timeout: 2_000 });
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
  const usableThreads = Math.min(threads, availableParallelism());
  if (platform === "darwin") {
    const [cores, fastCores] = await Promise.all([sysctl("hw.physicalcpu"), sysctl("hw.perflevel0.physicalcpu")]);
    return { model, cores, fastCores: fastCores === cores ? null : fastCores, threads, usableThreads };
  }
  if (platform !== "linux") return { model, cores: null, fastCores: null, threads, usableThreads };
  const fastCores = fastCoresFrom(sysRoot);
  try {
    const info = parseCpuinfo(readFileSync(`${procRoot}/cpuinfo`, "utf8"));
    const cores = info.cores ?? coresFromTopology(sysRoot);
    return { model: info.model ?? model, cores, fastCores, threads, usableThreads };
  } catch {
    return { model, cores: coresFromTopology(sysRoot), fastCores, threads, usableThreads };
  }
}
