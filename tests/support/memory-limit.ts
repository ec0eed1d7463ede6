import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where control groups for memory can be made: version 2, or the memory hierarchy of version 1. */
const version2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
const root = version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";

/** A control group whose processes share so much memory; the kernel ends the largest when it is not enough. */
export interface MemoryLimit {
  /** A command that puts the program after it under the limit. */
  readonly through: readonly string[];
  /** When its processes have ended. */
  remove(): void;
}

function makeGroup(megabytes: number): string {
  const folder = join(root, `rbee-test-${process.pid}-${Date.now()}`);
  mkdirSync(folder);
  try {
    const limit = String(megabytes * 1024 * 1024);
    writeFileSync(join(folder, version2 ? "memory.max" : "memory.limit_in_bytes"), limit);
    // Without this a machine with swap would only get slow.
    const swap = join(folder, version2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
    if (existsSync(swap)) writeFileSync(swap, version2 ? "0" : limit);
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  return folder;
}

/** Why memory cannot be limited here; null when it can. With `CI` this is an error. */
export const whyNoMemoryLimit = problem();
if (whyNoMemoryLimit !== null && process.env["CI"]) throw new Error(`the faults of memory: ${whyNoMemoryLimit}`);

function problem(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux (a control group for memory)";
  if (!/^oom_kill /mu.test(readFileSync("/proc/vmstat", "utf8"))) return "this kernel does not count what it ends";
  try {
    rmdirSync(makeGroup(64));
    return null;
  } catch {
    return "this system does not let memory be limited";
  }
}

/** Makes a limit. Its `through` becomes the program, so the process's number stays the same. */
export function limitMemory(megabytes: number): MemoryLimit {
  const folder = makeGroup(megabytes);
  return {
    through: ["/bin/sh", "-ec", `echo $$ >'${join(folder, "cgroup.procs")}'\nexec "$@"`, "sh"],
    remove: () => {
      rmdirSync(folder);
    },
  };
}
