import {
  RbeeError,
  type ErrorBody,
  type MemoryNeed,
  type Worker,
  type WorkerCheck,
  type WorkerMessage,
  type WorkerProcessOptions,
  type WorkerState,
} from "@rbee/contract";
import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import type { EngineProcess, ExitReason, Launch, StartingEngine } from "../engines/engine.ts";
import type { Borrowed } from "../loans/borrowed.ts";
import type { Logger } from "../log.ts";
import type { WorkerFacts } from "../telemetry/sampler.ts";
import { crashesInARow, restartDelayMs } from "./backoff.ts";
import { crashed, loadTimeout, spawnFailed } from "./failure.ts";
import { askHealth } from "./health-check.ts";
import type { HiveWorker } from "./hive-worker.ts";
import { IdleWatch } from "./idle-watch.ts";
import { WorkerLogFile } from "./log-file.ts";
import { OutOfMemoryWatch } from "./out-of-memory-watch.ts";
import { cutOffBy, loadProgressIn, refusalIn, servingIn, stateOf, type Phase, type Serving } from "./phase.ts";
import type { RunFiles } from "./run-files.ts";
import { Waiting } from "./waiting.ts";
import type { WorkerNews } from "./worker-news.ts";

export interface WorkerOptions {
  readonly engine: StartingEngine;
  readonly process: Omit<WorkerProcessOptions, "socket_path">;
  readonly env: Readonly<Record<string, string>>;
  /** What the engine is to know of the model beside its options. */
  readonly model: Pick<Launch, "contextPerSlot" | "architecture">;
  /** What other hives compute for it; undefined when it runs here alone. */
  readonly borrowed?: Borrowed | undefined;
  /** Whose memory it takes beside main memory. */
  readonly pool: string;
  /** What it was promised. */
  readonly need: MemoryNeed;
  readonly loadTimeoutMs: number;
  /** How long it may have nothing to do before it is stopped; null for ever. */
  readonly idleStopMs: number | null;
  /** Whether it stays however long it has nothing to do. */
  readonly isPinned: () => boolean;
  /** Hears when it takes requests at its socket, and when no more; left out where nobody may ask it but this hive. */
  readonly news?: WorkerNews | undefined;
  /** Called when it begins or ceases to compute. */
  readonly onBusy: () => void;
  readonly logPath: string;
  readonly runFiles: RunFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between the word that a worker is drained and its end. */
const farewellMs = 2_000;

/** A request may come in the very moment in which an idle worker is stopped: it is still answered. */
const idleDrainMs = 30_000;

/** One worker over all its processes, whatever engine they are of. All changes of its state are made here. */
export class SupervisedWorker implements HiveWorker {
  readonly id: string;
  readonly pool: string;
  readonly need: MemoryNeed;
  readonly logPath: string;
  readonly #options: WorkerOptions;
  readonly #name: string;
  readonly #socketPath: string;
  readonly #logFile: WorkerLogFile;
  readonly #waiting: Waiting;
  readonly #idle: IdleWatch;
  #phase: Phase = { kind: "starting" };
  #threads: number;
  #process: EngineProcess | undefined;
  #startedAt: number;
  #restarts = 0;
  #crashes = 0;
  #error: ErrorBody["error"] | null = null;
  /** Why a serving process says that it must end. */
  #reported: RbeeError | undefined;
  #cancelTimer: () => void = () => {};
  #outOfMemory: OutOfMemoryWatch;

  constructor(options: WorkerOptions) {
    this.id = options.process.worker_id;
    this.pool = options.pool;
    this.need = options.need;
    this.logPath = options.logPath;
    this.#options = options;
    this.#threads = options.process.threads;
    this.#name = this.id.replaceAll(":", "-");
    this.#socketPath = options.runFiles.socketPath(this.#name);
    this.#logFile = new WorkerLogFile(options.logPath);
    this.#startedAt = options.clock.now();
    this.#waiting = new Waiting(options.clock);
    this.#outOfMemory = new OutOfMemoryWatch(options.clock);
    this.#idle = new IdleWatch(options.clock, options.idleStopMs, () => {
      this.#stopIdle();
    });
    this.#start();
    options.borrowed?.whenLost((error) => {
      this.#lost(error);
    });
  }

  get state(): WorkerState {
    return stateOf(this.#phase);
  }

  /** Whether it still holds, or is about to take, memory that the system does not count yet. */
  get takesMemory(): boolean {
    return this.state === "starting" || this.state === "loading";
  }

  get model(): string {
    return this.#options.process.model;
  }

  get device(): string {
    return this.#options.process.device;
  }

  /** When it came to its end, by the clock that never jumps; null while it has not. */
  get endedAt(): number | null {
    return this.#phase.kind === "stopped" || this.#phase.kind === "failed" ? this.#phase.at : null;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  snapshot(): Worker {
    const { model, backend, device } = this.#options.process;
    const serving = servingIn(this.#phase);
    return {
      worker_id: this.id,
      model,
      engine: this.#options.engine.name,
      backend,
      device,
      state: this.state,
      pid: this.#process?.pid ?? null,
      load_progress: loadProgressIn(this.#phase),
      context_length: serving?.context_length ?? null,
      slots_total: serving?.slots_total ?? null,
      slots_busy: serving?.slots_busy ?? null,
      queued: serving?.queued ?? null,
      started_at: this.#startedAt,
      ready_at: serving?.ready_at ?? null,
      restarts: this.#restarts,
      error: this.#error,
      ...(this.#options.borrowed === undefined ? {} : { spread: [...this.#options.borrowed.spread] }),
    };
  }

  /** What a heartbeat tells of it: asked for once a second. */
  facts(): WorkerFacts {
    this.#outOfMemory.look();
    const { started_at: _, ready_at: __, ...told } = this.snapshot();
    const uptime_s = Math.max(0, (this.#options.clock.now() - this.#startedAt) / 1_000);
    const tokens_per_s = servingIn(this.#phase)?.tokens_per_s ?? null;
    const seconds = (ms: number | null) => (ms === null ? null : ms / 1_000);
    const { idleMs, stopsInMs } = this.#idle;
    return {
      ...told,
      uptime_s,
      tokens_per_s,
      idle_s: seconds(idleMs),
      stops_in_s: this.#options.isPinned() ? null : seconds(stopsInMs),
      need_device_mb: this.need.device_mb,
      need_ram_mb: this.need.ram_mb,
    };
  }

  /** Whether its process answers now. A worker that is asked this does not count as used. */
  async check(): Promise<WorkerCheck> {
    const connections = this.#process?.connections;
    if (this.#phase.kind === "serving" && connections)
      return askHealth(connections, this.#options.clock, () => this.snapshot());
    const { message } = refusalIn(this.#phase, this.#error);
    return { worker: this.snapshot(), answered_in_ms: null, problem: this.#error?.message ?? message };
  }

  /**
   * The connections to its process, for a request: from now on it counts as used.
   * @throws {RbeeError} `model_loading`, `worker_busy` while draining, its own error when it failed, `worker_not_found`.
   */
  connections(): Dispatcher {
    const connections = this.#process?.connections;
    if (this.#phase.kind === "serving" && connections) {
      if (this.#phase.serving.slots_busy === 0) this.#idle.used();
      return connections;
    }
    throw refusalIn(this.#phase, this.#error);
  }

  settled(limitMs: number): Promise<void> {
    return this.#waiting.until(() => !this.takesMemory, limitMs);
  }

  /**
   * Why an answer was cut off, as an error to tell; null when that is not known within `limitMs`. A broken connection
   * is noticed a moment before the end of the process behind it.
   */
  async diedOf(limitMs: number): Promise<RbeeError | null> {
    await this.#waiting.until(() => this.#phase.kind !== "serving", limitMs);
    return cutOffBy(this.#phase, this.#error);
  }

  /**
   * Lets it finish what it answers for up to `drainMs`, then ends it; resolves when the process is gone. A later
   * call with less time shortens the wait.
   */
  stop(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    switch (this.#phase.kind) {
      case "serving":
        this.#drain(this.#phase.serving, drainMs);
        break;
      case "draining":
        if (clock.monotonic() + drainMs < this.#phase.endsAt) this.#drain(this.#phase.serving, drainMs);
        break;
      case "starting":
      case "loading":
        this.#cancelTimer();
        this.#enter({ kind: "draining", serving: null, endsAt: clock.monotonic() });
        this.#process?.kill();
        break;
      case "recovering":
        this.#cancelTimer();
        this.#end({ kind: "stopped", at: clock.monotonic() });
        break;
      case "stopped":
      case "failed":
        this.#process?.kill();
    }
    return this.#gone();
  }

  /** Whether it computes now. */
  get busy(): boolean {
    return (servingIn(this.#phase)?.slots_busy ?? 0) > 0;
  }

  /** Has it compute with so many threads, if its engine can change them and they are others than before. */
  useThreads(threads: number): void {
    if (threads === this.#threads || servingIn(this.#phase) === undefined) return;
    this.#threads = threads;
    this.#process?.useThreads?.(threads);
  }

  #enter(phase: Phase): void {
    const wasBusy = this.busy;
    const served = this.#phase.kind === "serving";
    this.#phase = phase;
    if (!served && phase.kind === "serving") this.#options.news?.serves(this.id, this.#socketPath);
    if (served && phase.kind !== "serving") this.#options.news?.left(this.id, cutOffBy(phase, this.#error));
    if (this.busy !== wasBusy) this.#options.onBusy();
    if (phase.kind === "serving") this.#idle.tells(phase.serving.slots_busy > 0 || phase.serving.queued > 0);
    else this.#idle.stop();
    this.#waiting.tell();
  }

  #gone(): Promise<void> {
    return this.#waiting.until(() => this.#process === undefined, null);
  }

  #start(): void {
    const { clock, engine, process: options, model, env, runFiles, loadTimeoutMs, borrowed } = this.#options;
    this.#startedAt = clock.now();
    this.#threads = options.threads;
    runFiles.forget(this.#name, this.#socketPath);
    this.#outOfMemory = new OutOfMemoryWatch(clock);
    const launch = {
      options: { ...options, socket_path: this.#socketPath },
      ...model,
      env,
      ...(borrowed === undefined ? {} : { flags: borrowed.flags }),
      log: (chunk: string | Buffer) => {
        this.#logFile.write(chunk);
      },
    };
    const child = engine.start(launch, {
      message: (message) => {
        this.#hear(message);
      },
      awaitsLastWords: () => this.#phase.kind === "starting" || this.#phase.kind === "loading",
      exit: (reason, startError) => {
        this.#exited(reason, startError);
      },
    });
    this.#process = child;
    if (child.pid !== null) runFiles.record(this.#name, child.pid, this.#socketPath);
    this.#cancelTimer = clock.after(loadTimeoutMs, () => {
      this.#fail(loadTimeout(options.model, loadTimeoutMs));
      child.kill();
    });
    this.#enter({ kind: "starting" });
  }

  #hear(message: WorkerMessage): void {
    const phase = this.#phase;
    switch (message.type) {
      case "loading":
        if (phase.kind === "starting" || phase.kind === "loading")
          this.#enter({ kind: "loading", progress: message.progress });
        break;
      case "ready":
        if (phase.kind === "starting" || phase.kind === "loading") this.#ready(message);
        break;
      case "activity": {
        const { type: _, ...activity } = message;
        if (phase.kind === "serving") this.#enter({ kind: "serving", serving: { ...phase.serving, ...activity } });
        else if (phase.kind === "draining" && phase.serving !== null)
          this.#enter({ ...phase, serving: { ...phase.serving, ...activity } });
        break;
      }
      case "failed":
        if (phase.kind === "starting" || phase.kind === "loading")
          this.#fail(RbeeError.fromBody({ error: message.error }, "worker_spawn_failed"));
        else this.#reported = RbeeError.fromBody({ error: message.error }, "worker_crashed");
        this.#process?.kill();
        break;
      case "drained":
        if (phase.kind === "draining") this.#farewell();
    }
  }

  #ready({ slots_total, context_length }: Extract<WorkerMessage, { type: "ready" }>): void {
    const { clock, log, process: options } = this.#options;
    this.#cancelTimer();
    this.#error = null;
    this.#options.borrowed?.loaded();
    const ready_at = clock.now();
    const serving = { slots_total, context_length, slots_busy: 0, queued: 0, tokens_per_s: 0, ready_at };
    this.#enter({ kind: "serving", serving });
    const loadMs = ready_at - this.#startedAt;
    log.info(
      { worker_id: this.id, model: options.model, load_ms: loadMs },
      `${options.model} is loaded (${loadMs} ms).`,
    );
  }

  #stopIdle(): void {
    const { idleStopMs, isPinned, log, process: options } = this.#options;
    if (isPinned()) {
      this.#idle.again();
      return;
    }
    log.info(
      { worker_id: this.id, model: options.model },
      `${options.model} had nothing to do for ${Math.round((idleStopMs ?? 0) / 1_000)} s; stopping it.`,
    );
    void this.stop(idleDrainMs);
  }

  #drain(serving: Serving | null, drainMs: number): void {
    const { clock, log } = this.#options;
    this.#cancelTimer();
    this.#enter({ kind: "draining", serving, endsAt: clock.monotonic() + drainMs });
    if (drainMs === 0) {
      this.#process?.kill();
      return;
    }
    this.#process?.drain(drainMs);
    this.#cancelTimer = clock.after(drainMs, () => {
      log.warn({ worker_id: this.id, drain_ms: drainMs }, `${this.id} still answered after ${drainMs} ms; ended it.`);
      this.#process?.kill();
    });
  }

  /** It has nothing left to do. */
  #farewell(): void {
    this.#cancelTimer();
    this.#process?.leave();
    this.#cancelTimer = this.#options.clock.after(farewellMs, () => {
      this.#process?.kill();
    });
  }

  /** A machine that computes a part of the model is gone, and llama.cpp would wait for it or abort. */
  #lost(error: RbeeError): void {
    if (this.#phase.kind === "starting" || this.#phase.kind === "loading") this.#fail(error);
    else this.#reported ??= error;
    this.#process?.kill();
  }

  /** Its process is to be ended by the caller, or has ended. */
  #fail(error: RbeeError): void {
    const { clock, log, process: options } = this.#options;
    this.#cancelTimer();
    this.#error = error.toBody().error;
    log.error(
      { worker_id: this.id, model: options.model, code: error.code },
      `${options.model} failed: ${error.message}`,
    );
    if (this.#process === undefined) this.#end({ kind: "failed", at: clock.monotonic() });
    else this.#enter({ kind: "failed", at: clock.monotonic() });
  }

  #exited(reason: ExitReason, startError?: Error): void {
    const phase = this.#phase;
    void this.#process?.connections?.destroy();
    this.#process = undefined;
    this.#cancelTimer();
    this.#options.runFiles.forget(this.#name, this.#socketPath);
    void this.#options.borrowed?.close();
    switch (phase.kind) {
      case "starting":
      case "loading":
        if (this.#restarts > 0 && startError === undefined) this.#crashed(reason, null);
        else this.#fail(this.#spawnError(reason, startError));
        break;
      case "serving":
        this.#crashed(reason, this.#options.clock.now() - phase.serving.ready_at);
        break;
      case "draining":
        this.#end({ kind: "stopped", at: this.#options.clock.monotonic() });
        break;
      case "recovering":
        break;
      case "failed":
      case "stopped":
        this.#end(phase);
    }
  }

  #spawnError(reason: ExitReason, startError?: Error): RbeeError {
    return spawnFailed(reason, this.#logFile.lastLines(5), startError);
  }

  #crashed(reason: ExitReason, readyForMs: number | null): void {
    const { clock, log, process: options } = this.#options;
    this.#crashes = crashesInARow(this.#crashes, readyForMs);
    const died = () =>
      readyForMs === null ? this.#spawnError(reason) : crashed(reason, () => this.#outOfMemory.killedLately);
    const error = this.#reported ?? died();
    this.#reported = undefined;
    // What it had borrowed went back with its process: only the queen can borrow anew.
    const waitMs = this.#options.borrowed === undefined ? restartDelayMs(this.#crashes) : null;
    if (waitMs === null) {
      this.#fail(error);
      return;
    }
    this.#error = error.toBody().error;
    log.error(
      { worker_id: this.id, model: options.model, reason, restart_in_ms: waitMs },
      `${options.model} crashed (${reason}); starting it again in ${waitMs / 1_000} s.`,
    );
    this.#enter({ kind: "recovering" });
    this.#cancelTimer = clock.after(waitMs, () => {
      this.#restarts += 1;
      this.#startAgain();
    });
  }

  /** What cannot even be started any more, as a program that was replaced by a broken one, must not end the hive. */
  #startAgain(): void {
    try {
      this.#start();
    } catch (thrown) {
      const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#fail(spawnFailed("not started", [cause.message], cause));
    }
  }

  #end(phase: Phase): void {
    this.#logFile.close();
    this.#enter(phase);
  }
}
