import { AsyncLocalStorage } from "node:async_hooks";
import type { JobOutcome, NarrationEvent, ProgressEvent, ResultEvent } from "@rbee/contract";
import { backgroundWork } from "./background.ts";
import type { Clock } from "./clock.ts";
import type { FailureSites } from "./failure.ts";
import type { Redactor } from "./redaction.ts";

type WithoutNumbers<E> = Omit<E, "seq" | "ts" | "job_id">;
/** An event before its log gives it a number. */
export type Draft = WithoutNumbers<NarrationEvent> | WithoutNumbers<ProgressEvent>;

/** How far a phase is, as the operation says it; the rate is computed. */
export interface Progress {
  phase: string;
  done: number;
  /** Null while it is not known. */
  total: number | null;
  unit: ProgressEvent["unit"];
}

/** How one of several things that were done at once ended. */
export interface ItemOutcome {
  item: string;
  status: JobOutcome;
  error?: ResultEvent["error"];
  /** What doing it gave. */
  data?: Record<string, unknown>;
  /** The outcomes of what it did at once in its turn. */
  outcomes?: ItemOutcome[];
}

/** What code is part of: a running job, or nothing (then everything goes to the process's log). */
export interface Work {
  /** Undefined outside every job. */
  readonly jobId: string | undefined;
  readonly clock: Clock;
  /** How long something that was told to stop may take. */
  readonly graceMs: number;
  readonly secrets: Redactor;
  readonly sites: FailureSites;
  /** The scopes of the steps that run now. */
  readonly active: Set<Scope>;
  emit(scope: Scope, draft: Draft): void;
  progress(scope: Scope, progress: Progress): void;
  /** Sends what progress is held back. */
  flushProgress(): void;
  track<T>(scope: Scope, promise: Promise<T>): Promise<T>;
  /** To be called when a scope was given up. */
  gaveUp(): void;
  /** Holds the end of a stopped job back until the answer is called. */
  holdEnd(): () => void;
}

/** Where in a job code runs. Scopes are nested as steps are. */
export interface Scope {
  readonly work: Work;
  readonly parent: Scope | undefined;
  readonly actor: string;
  readonly signal: AbortSignal;
  /** The names of the steps around, outermost first. */
  readonly steps: readonly string[];
  /** Where `inParallel` leaves what became of each item. */
  readonly outcomes: ItemOutcome[];
  /** True once nobody waits for this scope any more: what it still says is not part of the job. */
  abandoned: boolean;
}

const storage = new AsyncLocalStorage<Scope>();

const never = new AbortController().signal;

/** A new one each time, so that nothing is collected in it for ever. */
function outsideJobs(): Scope {
  return {
    work: backgroundWork,
    parent: undefined,
    actor: "rbee",
    signal: never,
    steps: [],
    outcomes: [],
    abandoned: false,
  };
}

/** The scope of the code that runs now; outside every job one that writes to the process's log. */
export function currentScope(): Scope {
  return storage.getStore() ?? outsideJobs();
}

/** Runs `action`, and everything it starts, in `scope`. */
export function inScope<T>(scope: Scope, action: () => T): T {
  return storage.run(scope, action);
}

/** Whether this scope or one around it was given up. */
export function isAbandoned(scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) if (at.abandoned) return true;
  return false;
}

/** The signal that aborts when the step or job that runs now has to stop; outside a job one that never does. */
export function currentSignal(): AbortSignal {
  return currentScope().signal;
}

/** The id of the job that runs now; undefined outside every job. */
export function currentJobId(): string | undefined {
  return currentScope().work.jobId;
}

/**
 * Ties a callback to the job that runs now. Needed for listeners on things that outlive a job (a pooled connection,
 * a shared socket): their events otherwise belong to whoever created the thing.
 */
export function bindToJob<A extends unknown[], R>(callback: (...args: A) => R): (...args: A) => R {
  return AsyncLocalStorage.bind(callback);
}

/**
 * Starts work that the job waits for before it ends, though nobody awaits it now. If it fails and nobody has waited
 * for it, the job fails with its error. A plain promise that is left alone is not part of the job: neither its end nor
 * its failure is noticed, even if steps run inside it.
 */
export function spawnChild<T>(run: () => T | Promise<T>): Promise<T> {
  const scope = currentScope();
  return scope.work.track(
    scope,
    Promise.resolve().then(() => run()),
  );
}

/** Secrets that must never be seen in narration, logs or errors. */
export const secrets = {
  /**
   * Hides a value from now on: in the job that runs now, or outside a job in every job of this process. Call it
   * before the value can turn up. Values under 4 characters are not hidden.
   */
  register(value: string): void {
    currentScope().work.secrets.register(value);
  },
};
