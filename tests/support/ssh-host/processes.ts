import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** The command line; empty for a zombie. */
  readonly command: string;
}

/** The pids below a process, children before grandchildren. */
export function descendants(pid: number): number[] {
  const table = allProcesses();
  const below = (parent: number): number[] => {
    const own = table.filter((process) => process.parent === parent).map((process) => process.pid);
    return [...own, ...own.flatMap(below)];
  };
  return below(pid);
}

/** A process's command line, empty when it is gone or a zombie. */
export function commandOf(pid: number): string {
  return allProcesses().find((process) => process.pid === pid)?.command ?? "";
}

/** Every process there is. */
export function allProcesses(): Process[] {
  return existsSync("/proc/self/stat") ? fromProc() : fromPs();
}

function fromProc(): Process[] {
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return [{ pid, parent, command }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

function fromPs(): Process[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const [, pid, parent, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command: command.trim() }];
  });
}
