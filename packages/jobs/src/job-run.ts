import { RbeeError, type Job, type JobEvent, type JobOutcome } from "@rbee/contract";
import { writeToLog } from "./background.ts";
import { Children } from "./children.ts";
import type { Clock } from "./clock.ts";
import { inScope, isAbandoned, type Draft, type Progress, type Scope, type Work } from "./context.ts";
import { inWords } from "./durations.ts";
import type { EventLog } from "./event-log.ts";
import { asError, describeFailure, FailureSites, isTimeLimit, timeLimitError } from "./failure.ts";
import type { JobEnd, JobStore } from "./job-store.ts";
import type { ProcessLog } from "./process-log.ts";
import { ProgressMeter } from "./progress-meter.ts";
import type { Redactor } from "./redaction.ts";

/** Why a job was told to stop before its operation had settled. */
interface Stop {
  status: Extract<JobOutcome, "cancelled" | "timed_out">;
  error: RbeeError;
}

interface JobRunOptions {
  job: Job;
  timeoutMs: number;
  actor: string;
  graceMs: number;
  clock: Clock;
  log: EventLog;
  store: JobStore;
  processLog: ProcessLog;
  secrets: Redactor;
}

type Settled = { ok: true; value: unknown } | { ok: false; error: unknown };

/** One job while it runs: it alone writes the job's events, and it decides how the job ended. */
export class JobRun implements Work {
  readonly jobId: string;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly secrets: Redactor;
  readonly sites = new FailureSites();
  readonly active = new Set<Scope>();
  readonly scope: Scope;
  readonly #options: JobRunOptions;
  readonly #children = new Children();
  readonly #progress: ProgressMeter;
  readonly #controller = new AbortController();
  readonly #gaveUp = Promise.withResolvers<"gave up">();
  readonly #startedAt: number;
  #stop: Stop | undefined;
  #seq = 0;
  #over = false;
  /** The first failure to keep an event. */
  #unwritten: Error | undefined;
  #holds = 0;
  #graceIsOver = false;
  #cancelTimer: () => void = () => {};

  constructor(options: JobRunOptions) {
    this.#options = options;
    this.jobId = options.job.job_id;
    this.clock = options.clock;
    this.graceMs = options.graceMs;
    this.secrets = options.secrets;
    this.#startedAt = options.clock.now();
    this.#progress = new ProgressMeter(options.clock, (scope, draft) => {
      this.#append(scope, draft);
    });
    this.scope = {
      work: this,
      parent: undefined,
      actor: options.actor,
      signal: this.#controller.signal,
      steps: [],
      outcomes: [],
      abandoned: false,
    };
  }

  /**
   * Runs the operation to its end and writes the result. Never rejects.
   * @param operation started in the job's scope; its time limit counts from now.
   */
  async perform(operation: () => Promise<unknown>): Promise<void> {
    const { timeoutMs } = this.#options;
    this.#say("timeout_start", "debug", `The time limit is ${inWords(timeoutMs)}.`, { timeout_ms: timeoutMs });
    this.#cancelTimer = this.clock.after(timeoutMs, () => {
      this.#timeOut();
    });
    const settled = this.#settle(operation);
    const outcome = await Promise.race([settled, this.#gaveUp.promise]);
    this.#cancelTimer();
    if (outcome === "gave up") this.#tellOfGivingUp();
    this.#finish(outcome === "gave up" ? undefined : outcome);
  }

  /** Ends the job as cancelled, as soon as its operation has stopped. Without effect when it is stopping or over. */
  cancel(reason: string): void {
    if (this.#over) return;
    this.#halt(
      { status: "cancelled", error: new RbeeError("request_cancelled", reason) },
      { action: "cancelling", level: "warn", message: reason },
    );
  }

  emit(scope: Scope, draft: Draft): void {
    if (draft.type === "narration") this.#progress.flush();
    this.#append(scope, draft);
  }

  progress(scope: Scope, progress: Progress): void {
    if (this.#over || isAbandoned(scope)) return;
    this.#progress.report(scope, progress);
  }

  flushProgress(): void {
    this.#progress.flush();
  }

  track<T>(scope: Scope, promise: Promise<T>): Promise<T> {
    return this.#children.track(promise, () => isAbandoned(scope));
  }

  gaveUp(): void {
    this.#children.recheck();
  }

  holdEnd(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      if (this.#holds === 0 && this.#graceIsOver) this.#startGrace();
    };
  }

  async #settle(operation: () => Promise<unknown>): Promise<Settled> {
    let settled: Settled;
    try {
      this.#controller.signal.throwIfAborted();
      settled = { ok: true, value: await inScope(this.scope, operation) };
    } catch (error) {
      settled = { ok: false, error };
    }
    await this.#children.settled();
    const unheard = this.#children.unheard();
    return settled.ok && unheard.length > 0 ? { ok: false, error: unheard[0] } : settled;
  }

  #timeOut(): void {
    const { timeoutMs } = this.#options;
    const message = `The time limit of ${inWords(timeoutMs)} is over.`;
    this.#halt(
      {
        status: "timed_out",
        error: timeLimitError("request_timeout", message, { details: { timeout_ms: timeoutMs } }),
      },
      { action: "timed_out", level: "error", message, data: { timeout_ms: timeoutMs } },
    );
  }

  #halt(
    stop: Stop,
    words: { action: string; level: "warn" | "error"; message: string; data?: Record<string, unknown> },
  ): void {
    if (this.#stop !== undefined) return;
    this.#stop = stop;
    this.#cancelTimer();
    this.#say(words.action, words.level, words.message, words.data);
    this.#startGrace();
    // Listeners run in the context of whoever aborts: what they narrate is this job's, not the caller's.
    inScope(this.scope, () => {
      this.#controller.abort(stop.error);
    });
  }

  #tellOfGivingUp(): void {
    const steps = [...this.active].at(-1)?.steps ?? [];
    if (this.#stop !== undefined && steps.length > 0) this.sites.note(this.#stop.error, { steps, actor: undefined });
    const during = steps.length === 0 ? "" : ` (${steps.join(" › ")})`;
    this.#say(
      "not_stopped",
      "warn",
      `The operation${during} did not stop within ${inWords(this.graceMs)}. rbee waits no longer; what it still does is not shown here.`,
    );
  }

  #startGrace(): void {
    this.#graceIsOver = false;
    this.#cancelTimer = this.clock.after(this.graceMs, () => {
      this.#graceIsOver = true;
      if (this.#holds === 0) this.#gaveUp.resolve("gave up");
    });
  }

  #say(
    action: string,
    level: "debug" | "info" | "warn" | "error",
    message: string,
    data?: Record<string, unknown>,
  ): void {
    const { actor } = this.#options;
    const draft = { type: "narration", actor, action, level, message } as const;
    this.emit(this.scope, data === undefined ? draft : { ...draft, data });
  }

  #append(scope: Scope, draft: Draft): void {
    const { job, processLog } = this.#options;
    if (this.#over || isAbandoned(scope)) {
      if (draft.type === "progress") return;
      writeToLog(processLog, this.secrets, { ...draft, level: "warn" }, { job_id: job.job_id, late: true });
      return;
    }
    this.#write(
      draft.type === "progress"
        ? { ...draft, ...this.#numbers() }
        : {
            ...draft,
            message: this.secrets.text(draft.message),
            ...(draft.data === undefined ? {} : { data: this.secrets.record(draft.data) }),
            ...this.#numbers(),
          },
    );
  }

  #numbers(): { seq: number; ts: number; job_id: string } {
    return { seq: this.#seq + 1, ts: this.clock.now(), job_id: this.#options.job.job_id };
  }

  /** A full disk must not become a crash in whoever narrates; the job fails with it in the end. */
  #write(event: JobEvent): boolean {
    const { job, log, processLog } = this.#options;
    try {
      log.append(job.job_id, event);
      this.#seq = event.seq;
      return true;
    } catch (error) {
      this.#unwritten ??= asError(error);
      processLog.error(
        { job_id: job.job_id, seq: event.seq, err: this.secrets.value(error) },
        "An event of a job could not be kept.",
      );
      return false;
    }
  }

  #finish(settled: Settled | undefined): void {
    this.#progress.flush();
    const end = this.#endOf(settled);
    const { job, store, processLog } = this.#options;
    this.#write({
      type: "result",
      ...this.#numbers(),
      status: end.state,
      ...(end.error === null ? {} : { error: end.error }),
      ...(end.result === null ? {} : { data: end.result }),
    });
    this.#over = true;
    try {
      store.finish(job.job_id, end);
    } catch (error) {
      processLog.error({ job_id: job.job_id, err: this.secrets.value(error) }, "The end of a job could not be kept.");
    }
    const fields = { job_id: job.job_id, operation: job.operation, state: end.state, error: end.error ?? undefined };
    const took = inWords(end.finished_at - this.#startedAt);
    if (end.state === "succeeded" || end.state === "cancelled")
      processLog.info(fields, `Job ${end.state} after ${took}.`);
    else processLog.warn(fields, `Job ${end.state} after ${took}.`);
  }

  #endOf(settled: Settled | undefined): JobEnd {
    const { outcomes } = this.scope;
    const reported = outcomes.length === 0 ? {} : { outcomes: this.secrets.value(outcomes) };
    const value = settled?.ok === true && settled.value !== undefined ? this.secrets.record(settled.value) : {};
    const data = { ...reported, ...value };
    const result = Object.keys(data).length === 0 ? null : data;
    const failure = this.#failureOf(settled);
    // Only now, since telling of a failure may itself fail to be kept.
    const finished_at = this.clock.now();
    if (failure === undefined) return { state: "succeeded", finished_at, error: null, result };
    return { state: failure.status, finished_at, error: describeFailure(failure.error, this), result };
  }

  #failureOf(settled: Settled | undefined): { status: JobEnd["state"]; error: unknown } | undefined {
    if (settled?.ok === false) this.#logCause(settled.error);
    if (this.#stop !== undefined) {
      if (settled?.ok === false) this.#tellOfTrouble(settled.error, this.#stop);
      return this.#stop;
    }
    if (settled?.ok === false)
      return { status: isTimeLimit(settled.error) ? "timed_out" : "failed", error: settled.error };
    if (this.#unwritten !== undefined)
      return {
        status: "failed",
        error: new Error(`The job's log could not be written: ${this.#unwritten.message}`, { cause: this.#unwritten }),
      };
    return undefined;
  }

  /** What went wrong while a job was being stopped is not its result, but it is not swallowed either. */
  #tellOfTrouble(error: unknown, stop: Stop): void {
    if (error === stop.error || (error instanceof Error && (error.name === "AbortError" || error.cause === stop.error)))
      return;
    if (isTimeLimit(error) && stop.status === "timed_out") return;
    const described = describeFailure(error, this);
    this.#say("while_stopping", "warn", `While stopping: ${described.message}`, { error: described });
  }

  /** The stream carries no stacks; the process's log does. */
  #logCause(error: unknown): void {
    if (error instanceof RbeeError || !(error instanceof Error) || error === this.#stop?.error) return;
    const { job, processLog } = this.#options;
    processLog.error(
      { job_id: job.job_id, stack: this.secrets.text(error.stack ?? error.message) },
      "A job's operation threw something unforeseen.",
    );
  }
}
