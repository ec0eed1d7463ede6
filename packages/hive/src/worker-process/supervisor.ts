import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  contextSentence,
  kvProblem,
  RbeeError,
  usualEngine,
  workerIdSchema,
  type LoanRequest,
  type SpreadPart,
  type Worker,
  type WorkerProcessOptions,
  type WorkerSpawn,
} from "@rbee/contract";
import type { Clock } from "../clock.ts";
import type { Engines } from "../engines/engines.ts";
import type { Hardware } from "../hardware/index.ts";
import { readMemory } from "../hardware/memory.ts";
import type { Logger } from "../log.ts";
import { borrow, type Borrowed } from "../loans/borrowed.ts";
import { Borrowing } from "../loans/borrowing.ts";
import type { LoanPlace } from "../loans/loans.ts";
import type { LocalModel, ModelCatalogue } from "../models/catalogue.ts";
import type { WorkerFacts } from "../telemetry/sampler.ts";
import type { HiveWorker } from "./hive-worker.ts";
import { pruneLogs } from "./log-file.ts";
import { afterPromises, drivenBy, needsOf, placeOn, placeWorker, type Machine, type Promised } from "./placement.ts";
import type { RunFiles } from "./run-files.ts";
import { computeThreads, sharedThreads } from "./threads.ts";
import type { WorkerNews } from "./worker-news.ts";
import { SupervisedWorker } from "./worker.ts";

export interface SupervisorOptions {
  readonly home: string;
  readonly engines: Engines;
  readonly hardware: Hardware;
  readonly catalogue: ModelCatalogue;
  readonly runFiles: RunFiles;
  readonly clock: Clock;
  readonly log: Logger;
  readonly slots: number;
  readonly threads: number | undefined;
  readonly loadTimeoutMs: number;
  /** Seconds without work after which a worker is stopped, unless its spawn says otherwise; -1 never. */
  readonly idleStopS: number;
  /** MB of main memory that all workers together may take; undefined when nobody limited it. */
  readonly memoryLimitMb: number | undefined;
  /** What is promised to workers of other hives. */
  readonly loans?: () => readonly Promised[];
  /** This machine, as one part of a model that is spread over several. */
  readonly self: Omit<SpreadPart, "share" | "device">;
  /** Whether workers guess what a text repeats. */
  readonly speculation: WorkerProcessOptions["speculation"];
  /** Where workers keep conversations that lose their slot; undefined when they do not. */
  readonly parking?: WorkerProcessOptions["parking"];
  /** The queen works on this machine too. */
  readonly sharedMachine: boolean;
  /** Hears where our own workers answer. */
  readonly news?: WorkerNews | undefined;
}

/** Ended workers stay in the list this long, so that their errors can be read. */
const keepEndedMs = 5 * 60_000;
const keepEnded = 32;
const workerLimit = 64;

/** Every worker of this hive, from its start to some time after its end. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Map<string, HiveWorker>();
  #closing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Ends what an earlier hive left behind. */
  start(): void {
    this.#options.runFiles.endLeftovers(this.#options.log);
    pruneLogs(join(this.#options.home, "logs"));
  }

  list(): Worker[] {
    this.#prune();
    return [...this.#workers.values()].map((worker) => worker.snapshot());
  }

  /** For a heartbeat; a stopped worker is no longer news. */
  facts(): WorkerFacts[] {
    this.#prune();
    return [...this.#workers.values()].filter(({ state }) => state !== "stopped").map((worker) => worker.facts());
  }

  /** The workers that run a model, or are about to. */
  using(modelId: string): string[] {
    return [...this.#workers.values()].filter(({ running, model }) => running && model === modelId).map(({ id }) => id);
  }

  /** @throws {RbeeError} `worker_not_found`. */
  get(id: string): HiveWorker {
    const worker = this.#workers.get(id);
    if (worker === undefined) throw new RbeeError("worker_not_found", `No worker ${id} runs on this hive.`);
    return worker;
  }

  /**
   * Whether requests for a worker may bring the key of somebody's parked conversations: only for our own, and while any
   * are kept. @throws {RbeeError} `worker_not_found`.
   */
  mayHaveParkingKey(id: string): boolean {
    return this.#options.parking !== undefined && this.get(id).snapshot().engine === usualEngine;
  }

  /**
   * Starts a worker when everything it needs is there; answers before it has loaded.
   * @throws {RbeeError} `model_not_found`, `invalid_request`, `backend_unavailable`, `insufficient_ram`,
   * `insufficient_vram`, `overloaded`; `hive_unreachable` when a helper cannot be reached from here, or what it answers.
   */
  async spawn(request: WorkerSpawn): Promise<Worker> {
    const { helpers, model } = request;
    if (helpers === undefined) return this.#spawn(request, undefined);
    if (request.engine !== "llama-server")
      throw new RbeeError("invalid_request", "Only the engine llama-server spreads a model over several machines.", {
        param: "helpers",
      });
    const borrowing = await Borrowing.open({ model, helpers, clock: this.#options.clock });
    try {
      return await this.#spawn(request, borrowing);
    } catch (error) {
      await borrowing.close();
      throw error;
    }
  }

  async #spawn(request: WorkerSpawn, borrowing: Borrowing | undefined): Promise<Worker> {
    this.#refuseWhenFull();
    const model = await this.#modelOf(request.model);
    const problem = kvProblem(request, model.header.memory);
    if (problem !== null) throw new RbeeError("invalid_request", problem.message, { param: problem.param });
    const slots = request.slots ?? this.#options.slots;
    const [{ engine, backends: drives }, { cpu }, machine, gpus] = await Promise.all([
      this.#options.engines.toStart(request.engine),
      this.#options.hardware.inventory(),
      this.#machine(),
      this.#options.hardware.gpus(),
    ]);
    this.#refuseWhenFull();
    // From here on nothing waits, so that two spawns cannot both be promised the same memory.
    const { backend, device, pool, need, context } = placeWorker(
      request,
      needsOf(model, request, this.#options.slots),
      this.#withReservations(drives === null ? machine : drivenBy(drives, machine)),
    );
    const { threads, speculation, sharedMachine, loadTimeoutMs, runFiles, catalogue, clock, log, self } = this.#options;
    const layers = model.header.memory?.layers ?? null;
    const borrowed: Borrowed | undefined =
      borrowing && borrow(borrowing, request.helpers ?? [], { layers, backend, self: { ...self, device } });
    const alone = computeThreads(cpu, { shared: sharedMachine, setting: threads });
    const id = `worker:${randomBytes(6).toString("hex")}`;
    const idleStopS = request.idle_stop_s ?? this.#options.idleStopS;
    const worker = new SupervisedWorker({
      engine,
      process: {
        worker_id: id,
        model: model.id,
        model_path: model.path,
        backend,
        device,
        slots,
        context_length: context.tokens,
        extend_context: request.extend_context,
        gpu_layers: request.gpu_layers,
        flash_attention: request.flash_attention,
        kv_type: request.kv_type,
        threads: alone,
        speculation,
        queue_limit: 64,
        // Nobody else's process reads it.
        parking: engine.name === usualEngine ? this.#options.parking : undefined,
      },
      model: {
        contextPerSlot: context.tokens,
        architecture: model.header.architecture,
      },
      env: { ...gpus.find((gpu) => gpu.id === device)?.worker_env, ...borrowed?.env },
      borrowed,
      // Another engine's requests are counted on their way through this hive.
      news: engine.name === usualEngine ? this.#options.news : undefined,
      pool,
      need,
      loadTimeoutMs,
      idleStopMs: idleStopS < 0 ? null : idleStopS * 1_000,
      onBusy: () => {
        this.#shareThreads(alone);
      },
      isPinned: () => catalogue.known(model.id)?.record?.pinned === true,
      logPath: this.#logPath(id),
      runFiles,
      clock,
      log,
    });
    this.#workers.set(id, worker);
    catalogue.touch(model.id);
    log.info(
      { worker_id: id, model: model.id, device, ...need, context_length: context.tokens },
      `Loading ${model.id} on ${device}. ${contextSentence(device, context)}`,
    );
    return worker.snapshot();
  }

  /**
   * Reads what is free now and gives a decision about what may be lent of it, for one moment.
   * The decision throws `backend_unavailable`, `insufficient_ram`, `insufficient_vram`.
   */
  async lookForLoan(): Promise<(request: LoanRequest) => LoanPlace> {
    const { hardware, sharedMachine, threads } = this.#options;
    const [{ cpu }, machine, gpus] = await Promise.all([hardware.inventory(), this.#machine(), hardware.gpus()]);
    return ({ model, device: wanted, device_mb, ram_mb }) => {
      const need = { device_mb, ram_mb };
      const { backend, device, pool } = placeOn({ model, device: wanted }, () => need, this.#withReservations(machine));
      return {
        backend,
        pool,
        env: gpus.find((gpu) => gpu.id === device)?.worker_env ?? {},
        threads: computeThreads(cpu, { shared: sharedMachine, setting: threads }),
      };
    };
  }

  /** Where a worker writes its log, or has written it before it ended. @throws {RbeeError} `worker_not_found`. */
  logPath(id: string): string {
    const running = this.#workers.get(id);
    if (running?.logPath) return running.logPath;
    const path = this.#logPath(id);
    // The id becomes a file's name: nothing but an id may.
    if (workerIdSchema.safeParse(id).success && existsSync(path)) return path;
    throw new RbeeError("worker_not_found", `This hive has no log of a worker ${id}.`, {
      suggestion: "The logs of the last 50 workers are kept.",
    });
  }

  /** Stops every worker and takes no new one; resolves when all processes are gone. */
  async stopAll(drainMs: number): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop(drainMs)));
    this.#options.runFiles.close();
  }

  /** Divides the processor among the workers that compute on it now; what a person set stays. */
  #shareThreads(alone: number): void {
    if (this.#options.threads !== undefined) return;
    const onCpu = [...this.#workers.values()]
      .filter((worker) => worker instanceof SupervisedWorker)
      .filter(({ device }) => device === "cpu");
    const each = sharedThreads(alone, onCpu.filter(({ busy }) => busy).length);
    for (const worker of onCpu) worker.useThreads(each);
  }

  #logPath(id: string): string {
    return join(this.#options.home, "logs", `${id.replaceAll(":", "-")}.log`);
  }

  #refuseWhenFull(): void {
    if (this.#closing)
      throw new RbeeError("overloaded", "This hive is shutting down and starts no workers.", { retryAfterS: 30 });
    if ([...this.#workers.values()].filter(({ running }) => running).length >= workerLimit)
      throw new RbeeError("overloaded", `This hive already runs ${workerLimit} workers.`, {
        suggestion: "Stop one of them first.",
      });
  }

  async #modelOf(id: string): Promise<LocalModel> {
    const found = await this.#options.catalogue.find(id);
    if (found === undefined)
      throw new RbeeError("model_not_found", `This hive has no model ${id}.`, {
        param: "model",
        details: { available: this.#options.catalogue.models.map((model) => model.id) },
      });
    if ("broken" in found)
      throw new RbeeError("model_not_found", `${id} on this hive cannot be started: ${found.broken}.`, {
        param: "model",
        details: { state: found.state },
        suggestion: "Download the model again.",
      });
    return found;
  }

  async #machine(): Promise<Machine> {
    const { hardware } = this.#options;
    const [{ backends, devices }, gpus, ram] = await Promise.all([hardware.inventory(), hardware.gpus(), readMemory()]);
    const own = gpus.filter((gpu) => !gpu.unified_memory);
    const free = own.map(({ id, vram_total_mb, vram_used_mb }): [string, number | null] => [
      id,
      vram_total_mb === null || vram_used_mb === null ? null : vram_total_mb - vram_used_mb,
    ]);
    return {
      backends,
      devices,
      memory: {
        ramFreeMb: ram?.freeMb ?? null,
        vramFreeMb: new Map(free),
      },
    };
  }

  #withReservations(machine: Machine): Machine {
    const living = [...this.#workers.values()].filter(({ endedAt, running }) => endedAt === null || running);
    const promised = [...living, ...(this.#options.loans?.() ?? [])];
    return { ...machine, memory: afterPromises(machine.memory, promised, this.#options.memoryLimitMb) };
  }

  #prune(): void {
    const now = this.#options.clock.monotonic();
    const ended = [...this.#workers.values()].flatMap((worker) =>
      worker.endedAt === null || worker.running ? [] : [{ id: worker.id, endedAt: worker.endedAt }],
    );
    ended.sort((a, b) => b.endedAt - a.endedAt);
    for (const [position, { id, endedAt }] of ended.entries())
      if (position >= keepEnded || now - endedAt > keepEndedMs) this.#workers.delete(id);
  }
}
