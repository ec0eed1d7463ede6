import type { Loan, LoanTelemetry, NodeTelemetry, WorkerTelemetry } from "@rbee/contract";
import type { Clock } from "../clock.ts";
import { cpuPercent, readCpuTimes, readLoad1, type CpuTimes } from "../hardware/cpu.ts";
import type { Gpu } from "../hardware/index.ts";
import { readMemory } from "../hardware/memory.ts";
import { readProcesses, type ProcessReading } from "../hardware/processes.ts";
import { smooth } from "./smoothing.ts";

/** A worker as the supervisor knows it, without what only the operating system can tell. */
export type WorkerFacts = Omit<WorkerTelemetry, "cpu_pct" | "rss_mb" | "vram_mb">;

interface Previous {
  readonly at: number;
  readonly cpuTimes: CpuTimes | null;
  readonly cpu_pct: number | null;
  readonly ram_used_mb: number | null;
}

const rounded = (value: number | null): number | null => (value === null ? null : Math.round(value * 10) / 10);

/** Turns readings of the operating system into the figures of a heartbeat; remembers the last reading of each. */
export class Sampler {
  readonly #clock: Clock;
  readonly #gpus: () => Promise<readonly Gpu[]>;
  readonly #gpuMemory: () => ReadonlyMap<number, number>;
  #previous: Previous | undefined;
  #processes = new Map<number, { reading: ProcessReading; at: number }>();

  /** @param gpuMemory MB that processes hold on GPUs, by process id. */
  constructor(
    clock: Clock,
    gpus: () => Promise<readonly Gpu[]>,
    gpuMemory: () => ReadonlyMap<number, number> = () => new Map(),
  ) {
    this.#clock = clock;
    this.#gpus = gpus;
    this.#gpuMemory = gpuMemory;
  }

  /** The machine now; the first call has no CPU figure, since that needs two readings. */
  async node(): Promise<NodeTelemetry> {
    const [memory, gpus] = await Promise.all([readMemory(), this.#gpus()]);
    const at = this.#clock.monotonic();
    const cpuTimes = readCpuTimes();
    const before = this.#previous;
    const elapsedMs = before === undefined ? 0 : at - before.at;
    const percent = before?.cpuTimes && cpuTimes !== null ? cpuPercent(before.cpuTimes, cpuTimes) : null;
    const cpu = percent === null ? (before?.cpu_pct ?? null) : smooth(before?.cpu_pct ?? null, percent, elapsedMs);
    const ram = smooth(before?.ram_used_mb ?? null, memory === null ? null : memory.totalMb - memory.freeMb, elapsedMs);
    this.#previous = { at, cpuTimes, cpu_pct: cpu, ram_used_mb: ram };
    return {
      cpu_pct: rounded(cpu),
      ram_used_mb: rounded(ram),
      ram_total_mb: rounded(memory?.totalMb ?? null),
      load1: readLoad1(),
      gpus: gpus.map(({ id, name, util_pct, vram_used_mb, vram_total_mb, temp_c, power_w }) => ({
        id,
        name,
        util_pct,
        vram_used_mb: rounded(vram_used_mb),
        vram_total_mb: rounded(vram_total_mb),
        temp_c,
        power_w,
      })),
    };
  }

  /** The workers with what their processes use; CPU is that since the last call. */
  async workers(facts: readonly WorkerFacts[]): Promise<WorkerTelemetry[]> {
    const pids = facts.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    const readings = await readProcesses(pids);
    const at = this.#clock.monotonic();
    const before = this.#processes;
    const onGpu = facts.some(({ backend }) => backend !== null && backend !== "cpu") ? this.#gpuMemory() : undefined;
    this.#processes = new Map([...readings].map(([pid, reading]) => [pid, { reading, at }]));
    return facts.map((worker) => {
      const reading = worker.pid === null ? undefined : readings.get(worker.pid);
      const last = worker.pid === null ? undefined : before.get(worker.pid);
      return {
        ...worker,
        cpu_pct: rounded(usedSince(last, reading, at)),
        rss_mb: rounded(reading?.rssMb ?? null),
        vram_mb: worker.pid === null ? null : (onGpu?.get(worker.pid) ?? null),
      };
    });
  }

  /** Loans with the memory that their processes hold. */
  async loans(loans: readonly Loan[]): Promise<LoanTelemetry[]> {
    const readings = await readProcesses(loans.flatMap(({ pid }) => (pid === null ? [] : [pid])));
    return loans.map((loan) => ({
      ...loan,
      rss_mb: rounded((loan.pid === null ? undefined : readings.get(loan.pid))?.rssMb ?? null),
    }));
  }
}

function usedSince(
  last: { reading: ProcessReading; at: number } | undefined,
  reading: ProcessReading | undefined,
  at: number,
): number | null {
  if (last === undefined || reading === undefined || at <= last.at) return null;
  const seconds = (at - last.at) / 1_000;
  return Math.max(0, ((reading.cpuSeconds - last.reading.cpuSeconds) / seconds) * 100);
}
