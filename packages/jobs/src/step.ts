import type { ErrorCode, NarrationLevel, RbeeError } from "@rbee/contract";
import { currentScope, inScope, type Scope } from "./context.ts";
import { inWords } from "./durations.ts";
import { asError, describeFailure, timeLimitError } from "./failure.ts";

export interface StepOptions {
  /** Time limit in milliseconds. */
  timeoutMs: number;
  /** Who speaks inside; default: whoever spoke around. */
  actor?: string;
  /** What is done, for a person; default: the name. */
  message?: string;
  /** The error's code when the time limit is over; default `request_timeout`. */
  timeoutCode?: ErrorCode;
}

/**
 * Does one named part of an operation, with a time limit of its own, and tells of its start, its end and its
 * duration. `run` gets a signal that aborts when the step or the job has to stop, and what it throws is thrown on as
 * it is; the step's name is added when the job tells of the error.
 * @throws {RbeeError} `request_timeout` (or `timeoutCode`) when the limit is over, even when `run` then succeeds or
 *   does not stop; the reason of the signal, without starting, when the job is stopping already.
 */
export function step<T>(name: string, options: StepOptions, run: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const around = currentScope();
  return around.work.track(around, performStep(around, { name, options, run, stoppable: true }));
}

/**
 * A step that puts things in order again: it also runs, and is not interrupted, while the job is being stopped. The
 * job's end waits for it, for at most its time limit.
 * @throws {RbeeError} `request_timeout` (or `timeoutCode`) when the limit is over.
 */
export function cleanUp<T>(
  name: string,
  options: StepOptions,
  run: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const around = currentScope();
  return around.work.track(around, performStep(around, { name, options, run, stoppable: false }));
}

interface StepCall<T> {
  name: string;
  options: StepOptions;
  run: (signal: AbortSignal) => T | Promise<T>;
  stoppable: boolean;
}

async function performStep<T>(around: Scope, call: StepCall<T>): Promise<T> {
  if (!call.stoppable) {
    const release = around.work.holdEnd();
    try {
      return await new Step(around, call).perform();
    } finally {
      release();
    }
  }
  around.signal.throwIfAborted();
  return new Step(around, call).perform();
}

type Ended<T> = { ok: true; value: T } | { ok: false; error: Error };

class Step<T> {
  readonly #scope: Scope;
  readonly #around: Scope;
  readonly #call: StepCall<T>;
  readonly #own = new AbortController();
  readonly #gaveUp = Promise.withResolvers<"gave up">();
  readonly #startedAt: number;
  #limit: RbeeError | undefined;
  #cancelTimer: () => void = () => {};

  constructor(around: Scope, call: StepCall<T>) {
    this.#around = around;
    this.#call = call;
    this.#startedAt = around.work.clock.now();
    this.#scope = {
      ...around,
      parent: around,
      actor: call.options.actor ?? around.actor,
      steps: [...around.steps, call.name],
      signal: call.stoppable ? AbortSignal.any([around.signal, this.#own.signal]) : this.#own.signal,
      abandoned: false,
    };
  }

  async perform(): Promise<T> {
    const { timeoutMs, message = this.#call.name } = this.#call.options;
    this.#scope.work.active.add(this.#scope);
    this.#say("info", message, { state: "started" });
    this.#say(
      "debug",
      `The time limit of ${this.#call.name} is ${inWords(timeoutMs)}.`,
      { timeout_ms: timeoutMs },
      "timeout_start",
    );
    this.#cancelTimer = this.#scope.work.clock.after(timeoutMs, () => {
      this.#timeOut();
    });
    const ended = await Promise.race([this.#run(), this.#gaveUp.promise]);
    this.#cancelTimer();
    this.#scope.work.active.delete(this.#scope);
    this.#scope.work.flushProgress();
    if (ended === "gave up") return this.#giveUp();
    if (this.#limit !== undefined) return this.#failed(this.#limit);
    if (!ended.ok) return this.#failed(ended.error);
    this.#say("info", `${message}: done in ${this.#took()}.`, this.#end("finished"));
    return ended.value;
  }

  async #run(): Promise<Ended<T>> {
    const { run } = this.#call;
    try {
      return { ok: true, value: await inScope(this.#scope, async () => run(this.#scope.signal)) };
    } catch (thrown) {
      return { ok: false, error: asError(thrown) };
    }
  }

  #timeOut(): void {
    const { name, options } = this.#call;
    const { timeoutMs, timeoutCode = "request_timeout" } = options;
    const limit = timeLimitError(timeoutCode, `The time limit of ${inWords(timeoutMs)} is over.`, {
      details: { timeout_ms: timeoutMs },
    });
    this.#limit = limit;
    this.#say(
      "error",
      `The time limit of ${inWords(timeoutMs)} for ${name} is over.`,
      { timeout_ms: timeoutMs },
      "timed_out",
    );
    this.#cancelTimer = this.#scope.work.clock.after(this.#scope.work.graceMs, () => {
      this.#gaveUp.resolve("gave up");
    });
    inScope(this.#scope, () => {
      this.#own.abort(limit);
    });
  }

  #giveUp(): never {
    const { work } = this.#scope;
    this.#say(
      "warn",
      `${this.#call.name} did not stop within ${inWords(work.graceMs)}. rbee waits no longer.`,
      {},
      "not_stopped",
    );
    this.#scope.abandoned = true;
    work.gaveUp();
    return this.#failed(this.#limit ?? timeLimitError("request_timeout", "The time limit is over."));
  }

  /** Tells of a failure once in full, at the innermost step; the steps around only say that they end. */
  #failed(error: Error): never {
    const { work, actor, steps } = this.#scope;
    const jobActor = outermost(this.#scope).actor;
    const described = describeFailure(error, work);
    const site = { steps, actor: actor === jobActor ? undefined : actor };
    const isFirst = work.sites.note(error, site);
    const stopped = this.#around.signal.aborted && this.#limit === undefined;
    // What ends the job is the reason it was stopped for, so that one has to name the step as well.
    if (stopped && this.#around.signal.reason instanceof Error) work.sites.note(this.#around.signal.reason, site);
    const state = stopped ? "cancelled" : this.#limit === undefined ? "failed" : "timed_out";
    const words = isFirst && !stopped ? `: ${described.message}` : ".";
    const data = isFirst ? { ...this.#end(state), error: described } : this.#end(state);
    const draft = {
      type: "narration",
      actor,
      action: this.#call.name,
      level: stopped ? "warn" : "error",
      message: `${this.#call.name} ${state === "timed_out" ? "ran out of time" : state} after ${this.#took()}${words}`,
      data,
    } as const;
    // A step that was given up can say no more itself.
    work.emit(this.#around, draft);
    throw error;
  }

  #took(): string {
    return inWords(this.#durationMs());
  }

  #durationMs(): number {
    return this.#scope.work.clock.now() - this.#startedAt;
  }

  #end(state: string): Record<string, unknown> {
    return { state, duration_ms: this.#durationMs() };
  }

  #say(level: NarrationLevel, message: string, data: Record<string, unknown>, action = this.#call.name): void {
    const { work, actor, steps } = this.#scope;
    work.emit(this.#scope, {
      type: "narration",
      actor,
      action,
      level,
      message,
      data: { step: this.#call.name, step_path: steps, ...data },
    });
  }
}

function outermost(scope: Scope): Scope {
  let at = scope;
  while (at.parent !== undefined) at = at.parent;
  return at;
}
