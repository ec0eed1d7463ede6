import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { promisify } from "node:util";

export interface MemoryReading {
  readonly totalMb: number;
  /** What a new process could get without swapping. */
  readonly freeMb: number;
}

const bytesPerMb = 1024 * 1024;

/** Reads `/proc/meminfo`; null when a line it needs is missing. */
export function parseMeminfo(text: string): MemoryReading | null {
  const kilobytes = (name: string) => {
    const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, "mu").exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const total = kilobytes("MemTotal");
  const available = kilobytes("MemAvailable");
  if (total === undefined || available === undefined) return null;
  return { totalMb: total / 1024, freeMb: available / 1024 };
}

/** Free memory by `vm_stat`, in MB: pages that are free, speculative, inactive or purgeable; null when it is garbage. */
export function parseVmStat(text: string): number | null {
  const pageSize = Number(/page size of (\d+) bytes/u.exec(text)?.[1] ?? Number.NaN);
  const pages = ["Pages free", "Pages inactive", "Pages speculative", "Pages purgeable"].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)\\.$`, "mu").exec(text)?.[1] ?? Number.NaN),
  );
  const free = pages.reduce((sum, count) => sum + count, 0) * pageSize;
  return Number.isFinite(free) ? free / bytesPerMb : null;
}

/** How many processes the kernel has ended since it started because memory ran out; null when it does not say. */
export function readOutOfMemoryKills({ platform = process.platform, procRoot = "/proc" } = {}): number | null {
  if (platform !== "linux") return null;
  try {
    const count = /^oom_kill (\d+)$/mu.exec(readFileSync(`${procRoot}/vmstat`, "utf8"))?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    return null;
  }
}

const execute = promisify(execFile);

/** Main memory now; null when the system does not say. */
export async function readMemory({
  platform = process.platform,
  procRoot = "/proc",
} = {}): Promise<MemoryReading | null> {
  if (platform === "linux") {
    try {
      return parseMeminfo(readFileSync(`${procRoot}/meminfo`, "utf8"));
    } catch {
      return null;
    }
  }
  const totalMb = totalmem() / bytesPerMb;
  if (platform !== "darwin") return { totalMb, freeMb: freemem() / bytesPerMb };
  try {
    const { stdout } = await execute("vm_stat", [], { timeout: 2_000 });
    const freeMb = parseVmStat(stdout);
    return freeMb === null ? null : { totalMb, freeMb: Math.min(totalMb, freeMb) };
  } catch {
    return null;
  }
}

/** Disk space that this user may still fill where `path` lies, in MB; null when the system does not say. */
export async function readDiskFreeMb(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(path);
    return Math.floor((bavail * bsize) / bytesPerMb);
  } catch {
    return null;
  }
}
