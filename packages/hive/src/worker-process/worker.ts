import {
  lastWordsMark,
  RbeeError,
  type ErrorBody,
  type MemoryNeed,
  type Worker,
  type WorkerCheck,
  type WorkerMessage,
  type WorkerProcessOptions,
  type WorkerState,
} from "@rbee/contract";
import { Pool } from "undici";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { WorkerFacts } from "../telemetry/sampler.ts";
import { crashesInARow, restartDelayMs } from "./backoff.ts";
import { IdleWatch } from "./idle-watch.ts";
import { WorkerLogFile } from "./log-file.ts";
import { OutOfMemoryWatch } from "./out-of-memory-watch.ts";
import { loadProgressIn, refusalIn, servingIn, stateOf, type Phase, type Serving } from "./phase.ts";
import { WorkerProcess } from "./process.ts";
import type { RunFiles } from "./run-files.ts";

export interface WorkerOptions {
  /** Program and first arguments. */
  readonly command: readonly string[];
  readonly process: Omit<WorkerProcessOptions, "socket_path">;
  readonly env: Readonly<Record<string, string>>;
  /** Whose memory it takes beside main memory. */
  readonly pool: string;
  /** What it was promised. */
  readonly need: MemoryNeed;
  readonly loadTimeoutMs: number;
  /** How long it may have nothing to do before it is stopped; null for ever. */
  readonly idleStopMs: number | null;
  /** Whether it stays however long it has nothing to do. */
  readonly isPinned: () => boolean;
  readonly logPath: string;
  readonly runFiles: RunFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a worker may take to say how it is. */
const checkLimitMs = 3_000;

/** Between the word that a worker is drained and its end. */
const farewellMs = 2_000;

/** A request may come in the very moment in which an idle worker is stopped: it is still answered. */
const idleDrainMs = 30_000;

/** One worker over all its processes. All changes of its state are made here. */
export class SupervisedWorker {
  readonly id: string;
  readonly pool: string;
  readonly need: MemoryNeed;
  readonly logPath: string;
  readonly #options: WorkerOptions;
  readonly #name: string;
  readonly #socketPath: string;
  readonly #logFile: WorkerLogFile;
  readonly #waiting = new Set<() => void>();
  readonly #idle: IdleWatch;
  #phase: Phase = { kind: "starting" };
  #process: WorkerProcess | undefined;
  #pool: Pool | undefined;
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
    this.#name = this.id.replaceAll(":", "-");
    this.#socketPath = options.runFiles.socketPath(this.#name);
    this.#logFile = new WorkerLogFile(options.logPath);
    this.#startedAt = options.clock.now();
    this.#outOfMemory = new OutOfMemoryWatch(options.clock);
    this.#idle = new IdleWatch(options.clock, options.idleStopMs, () => {
      this.#stopIdle();
    });
    this.#start();
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
      engine: "node-llama-cpp",
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
    const worker = this.snapshot();
    if (this.#phase.kind !== "serving" || this.#pool === undefined) {
      const { message } = refusalIn(this.#phase, this.#error);
      return { worker, answered_in_ms: null, problem: this.#error?.message ?? message };
    }
    const askedAt = performance.now();
    const limit = new AbortController();
    const cancel = this.#options.clock.after(checkLimitMs, () => {
      limit.abort();
    });
    try {
      const { statusCode, body } = await this.#pool.request({
        method: "GET",
        path: "/health",
        signal: limit.signal,
      });
      await body.dump();
      const answered_in_ms = Math.round(performance.now() - askedAt);
      const problem = statusCode === 200 ? null : `Its process answers ${statusCode} when it is asked how it is.`;
      return { worker, answered_in_ms, problem };
    } catch {
      const problem = `Its process (${worker.pid ?? "gone"}) does not answer within ${checkLimitMs / 1_000} s.`;
      return { worker: this.snapshot(), answered_in_ms: null, problem };
    } finally {
      cancel();
    }
  }

  /**
   * The connections to its socket, for a request: from now on it counts as used.
   * @throws {RbeeError} `model_loading`, `worker_busy` while draining, its own error when it failed, `worker_not_found`.
   */
  connections(): Pool {
    if (this.#phase.kind === "serving" && this.#pool !== undefined) {
      if (this.#phase.serving.slots_busy === 0) this.#idle.used();
      return this.#pool;
    }
    throw refusalIn(this.#phase, this.#error);
  }

  /** Resolves when it has left `starting` and `loading`, at the latest after `limitMs`. */
  settled(limitMs: number): Promise<void> {
    if (!this.takesMemory || limitMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (!this.takesMemory) done();
      };
      const cancel = this.#options.clock.after(limitMs, done);
      this.#waiting.add(check);
    });
  }

  /**
   * Why an answer was cut off, as an error to tell; null when that is not known within `limitMs`. A broken connection
   * is noticed a moment before the end of the process behind it.
   */
  async diedOf(limitMs: number): Promise<RbeeError | null> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const check = () => {
      if (this.#phase.kind !== "serving") resolve(undefined);
    };
    const cancel = this.#options.clock.after(limitMs, () => {
      resolve(undefined);
    });
    this.#waiting.add(check);
    check();
    await promise;
    cancel();
    this.#waiting.delete(check);
    switch (this.#phase.kind) {
      case "draining":
      case "stopped":
        return new RbeeError("worker_busy", "The worker was stopped before its answer was complete.", {
          retryAfterS: 1,
        });
      case "recovering":
      case "failed":
        return this.#error === null ? null : RbeeError.fromBody({ error: this.#error }, "worker_crashed");
      default:
        return null;
    }
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

  #enter(phase: Phase): void {
    this.#phase = phase;
    if (phase.kind === "serving") this.#idle.tells(phase.serving.slots_busy > 0 || phase.serving.queued > 0);
    else this.#idle.stop();
    for (const check of [...this.#waiting]) check();
  }

  #gone(): Promise<void> {
    if (this.#process === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const check = () => {
        if (this.#process !== undefined) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  #start(): void {
    const { clock, command, process: options, env, runFiles, loadTimeoutMs } = this.#options;
    this.#startedAt = clock.now();
    runFiles.forget(this.#name, this.#socketPath);
    this.#outOfMemory = new OutOfMemoryWatch(clock);
    const child = new WorkerProcess(command, { ...options, socket_path: this.#socketPath }, env, this.#logFile, {
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
      this.#fail(
        new RbeeError("worker_load_timeout", `${options.model} did not load within ${loadTimeoutMs / 1_000} s.`, {
          suggestion: "Raise RBEE_LOAD_TIMEOUT on that machine, or take a smaller model.",
        }),
      );
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
    this.#pool = new Pool("http://worker", {
      socketPath: this.#socketPath,
      connections: null,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
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
    this.#process?.tell({ type: "drain" });
    this.#cancelTimer = clock.after(drainMs, () => {
      log.warn({ worker_id: this.id, drain_ms: drainMs }, `${this.id} still answered after ${drainMs} ms; ended it.`);
      this.#process?.kill();
    });
  }

  /** It has nothing left to do: without its channel it ends by itself, and soon. */
  #farewell(): void {
    this.#cancelTimer();
    this.#process?.disconnect();
    this.#cancelTimer = this.#options.clock.after(farewellMs, () => {
      this.#process?.kill();
    });
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

  #exited(reason: string, startError?: Error): void {
    const phase = this.#phase;
    this.#process = undefined;
    void this.#pool?.destroy();
    this.#pool = undefined;
    this.#cancelTimer();
    this.#options.runFiles.forget(this.#name, this.#socketPath);
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

  #spawnError(reason: string, startError: Error | undefined): RbeeError {
    const lines = this.#logFile.lastLines(5);
    const said = lines.length === 0 ? "" : `${lastWordsMark}${lines.join(" | ").slice(0, 600)}`;
    return new RbeeError("worker_spawn_failed", `The worker process ended before it was ready (${reason}).${said}`, {
      details: { reason, last_lines: lines },
      suggestion: "Look into the worker's log on that machine.",
      cause: startError,
    });
  }

  #crashError(reason: string): RbeeError {
    if (reason !== "signal SIGKILL" || !this.#outOfMemory.killedLately)
      return new RbeeError("worker_crashed", `The worker process died (${reason}).`, { details: { reason } });
    return new RbeeError(
      "worker_crashed",
      `The worker process was ended by the system, which had no memory left (${reason}).`,
      {
        details: { reason, out_of_memory: true },
        suggestion:
          "Ask for a shorter context or fewer slots, take a smaller model, or end what else needs memory there.",
      },
    );
  }

  #crashed(reason: string, readyForMs: number | null): void {
    const { clock, log, process: options } = this.#options;
    this.#crashes = crashesInARow(this.#crashes, readyForMs);
    const error =
      this.#reported ?? (readyForMs === null ? this.#spawnError(reason, undefined) : this.#crashError(reason));
    this.#reported = undefined;
    const waitMs = restartDelayMs(this.#crashes);
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
      this.#start();
    });
  }

  #end(phase: Phase): void {
    this.#logFile.close();
    this.#enter(phase);
  }
}
