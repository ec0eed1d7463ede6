import type { FleetHive, QueenClient } from "@rbee/contract";
import { setTimeout as wait } from "node:timers/promises";
import { median } from "./figures.ts";

/** What the machine did meanwhile, as its hive measured it; what it could not measure is null. */
export interface MachineLoad {
  /** Load average over a minute when the measurement began. */
  readonly load1: number | null;
  /** Processor cores that the model's worker kept busy. */
  readonly workerCores: number | null;
  /** Cores that everything else kept busy: other programs, other models, and rbee itself. */
  readonly otherCores: number | null;
  /** How busy the device was, if it is a GPU, in percent. */
  readonly gpuPct: number | null;
  /** The most requests of others that the worker was seen with at one time. */
  readonly strangers: number;
}

interface Look {
  readonly workerCores: number | null;
  readonly otherCores: number | null;
  readonly gpuPct: number | null;
}

const everyMs = 1_000;

/** Looks at a worker and its machine once a second until it is stopped. */
export class Watch {
  readonly #client: Pick<QueenClient, "fleet">;
  readonly #of: { readonly hiveId: string; readonly workerId: string };
  readonly #stopping = new AbortController();
  readonly #looks: Look[] = [];
  #load1: number | null = null;
  #strangers = 0;
  #running: Promise<void>;
  /** Requests of our own that may be with the worker now. */
  ours = 0;

  constructor(client: Pick<QueenClient, "fleet">, of: { hiveId: string; workerId: string }) {
    this.#client = client;
    this.#of = of;
    this.#running = this.#run();
  }

  async stop(): Promise<MachineLoad> {
    this.#stopping.abort();
    await this.#running;
    const middle = (of: (look: Look) => number | null) => median(this.#looks.map(of).filter((value) => value !== null));
    return {
      load1: this.#load1,
      workerCores: middle(({ workerCores }) => workerCores),
      otherCores: middle(({ otherCores }) => otherCores),
      gpuPct: middle(({ gpuPct }) => gpuPct),
      strangers: this.#strangers,
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let mostOfOurs = this.ours;
    for (;;) {
      try {
        await wait(everyMs, undefined, { signal });
        // What a hive tells is up to a second old, so requests of ours that have just ended are still ours.
        const before = mostOfOurs;
        mostOfOurs = this.ours;
        const { hives } = await this.#client.fleet({ signal });
        const hive = hives.find(({ hive_id }) => hive_id === this.#of.hiveId);
        if (hive !== undefined) this.#look(hive, Math.max(before, mostOfOurs, this.ours));
      } catch {
        // A look that failed is one look less.
        if (signal.aborted) return;
      }
    }
  }

  #look({ node, capabilities, workers }: FleetHive, ours: number): void {
    const worker = workers.find(({ worker_id }) => worker_id === this.#of.workerId);
    if (node === null || worker === undefined) return;
    this.#load1 ??= node.load1;
    const threads = capabilities?.cpu.threads ?? null;
    const workerCores = worker.cpu_pct === null ? null : worker.cpu_pct / 100;
    const busy = node.cpu_pct === null || threads === null ? null : (node.cpu_pct / 100) * threads;
    this.#looks.push({
      workerCores,
      otherCores: busy === null || workerCores === null ? null : Math.max(0, busy - workerCores),
      gpuPct: node.gpus.find(({ id }) => id === worker.device)?.util_pct ?? null,
    });
    this.#strangers = Math.max(this.#strangers, (worker.slots_busy ?? 0) + (worker.queued ?? 0) - ours);
  }
}
