import { readFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";

/** One line about the machine that measures, with its load before the start. */
export function machineLine(): string {
  const [cpu] = cpus();
  const load = loadavg()[0] ?? Number.NaN;
  return `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} logical cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${process.arch}, load before the run ${load.toFixed(2)}`;
}

/** A benchmark beside other work measures the other work: says so, and gives the load. */
export function quietness(): { quiet: boolean; load: number } {
  const load = loadavg()[0] ?? 0;
  return { quiet: load < 0.5 * cpus().length, load };
}

/** CPU time that a process has used so far, in seconds (Linux). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The processes that a process has started itself (Linux). */
export function processesUnder(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}
