import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

/** What the operating system says about one process. */
export interface ProcessReading {
  /** User and system time it has used so far, in seconds. */
  readonly cpuSeconds: number;
  readonly rssMb: number | null;
}

/** Linux reports CPU time in hundredths of a second on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** The fields of `/proc/<pid>/stat` from the third on; the second, the name, may hold spaces and brackets. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Reads `/proc/<pid>/stat` and `/proc/<pid>/status` (proc(5)); null when they are not in their format. */
export function parseLinuxProcess(stat: string, status: string): ProcessReading | null {
  const fields = statFields(stat);
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) return null;
  const rssKb = /^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1];
  return { cpuSeconds: ticks / ticksPerSecond, rssMb: rssKb === undefined ? null : Number(rssKb) / 1024 };
}

/** `1-02:03:04.50`, `02:03:04`, `3:04.50` as `ps` prints CPU time, in seconds; null when it is none of them. */
function cpuSecondsOf(text: string): number | null {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/u.exec(text);
  if (match === null) return null;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = match;
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

/** Reads the lines of `ps -o pid=,time=,rss=` (rss in KiB); lines that are not in that format are left out. */
export function parsePs(output: string): Map<number, ProcessReading> {
  const readings = new Map<number, ProcessReading>();
  for (const line of output.split("\n")) {
    const [pid, time, rss] = line.trim().split(/\s+/u);
    const cpuSeconds = cpuSecondsOf(time ?? "");
    if (pid === undefined || cpuSeconds === null) continue;
    readings.set(Number(pid), { cpuSeconds, rssMb: Number.isFinite(Number(rss)) ? Number(rss) / 1024 : null });
  }
  return readings;
}

function readLinux(pids: readonly number[], root: string): Map<number, ProcessReading> {
  const readings = new Map<number, ProcessReading>();
  for (const pid of pids) {
    try {
      const reading = parseLinuxProcess(
        readFileSync(`${root}/${pid}/stat`, "utf8"),
        readFileSync(`${root}/${pid}/status`, "utf8"),
      );
      if (reading !== null) readings.set(pid, reading);
    } catch {
      // It ended between being listed and being read.
    }
  }
  return readings;
}

const execute = promisify(execFile);

/** CPU time and memory of processes; one that is gone is not in the answer. */
export async function readProcesses(
  pids: readonly number[],
  { platform = process.platform, procRoot = "/proc" } = {},
): Promise<Map<number, ProcessReading>> {
  if (pids.length === 0) return new Map();
  if (platform === "linux") return readLinux(pids, procRoot);
  if (platform === "win32") return new Map();
  try {
    const { stdout } = await execute("ps", ["-o", "pid=,time=,rss=", "-p", pids.join(",")], { timeout: 2_000 });
    return parsePs(stdout);
  } catch {
    return new Map();
  }
}

/**
 * A text that tells a process from a later one with the same number; null when no such process is alive.
 * On Linux it names the boot too, since start times count from there.
 */
export function processStartedAt(pid: number, procRoot = "/proc"): string | null {
  try {
    if (process.platform === "linux") {
      const fields = statFields(readFileSync(`${procRoot}/${pid}/stat`, "utf8"));
      if (fields[0] === "Z" || fields[0] === "X") return null;
      const boot = readFileSync(`${procRoot}/sys/kernel/random/boot_id`, "utf8").trim();
      return `${boot}/${fields[19] ?? ""}`;
    }
    process.kill(pid, 0);
    if (process.platform === "win32") return "alive";
    return (
      execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", timeout: 2_000 }).trim() || null
    );
  } catch {
    return null;
  }
}
