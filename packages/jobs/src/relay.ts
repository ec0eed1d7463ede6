import { RbeeError, type JobEvent, type ResultEvent } from "@rbee/contract";
import { currentScope, type Scope } from "./context.ts";
import { markTimeLimit } from "./failure.ts";

export interface RelayOptions {
  /** Who does the other job, for example `hive:gaming-pc`: named in errors, and speaks where events say just `hive`. */
  actor: string;
  /**
   * Cancels the other job; called once when this one has to stop. The other job's events up to its result are then
   * still waited for. Without it, relaying just ends.
   */
  cancel?: () => Promise<unknown>;
  /** How long that wait may take, in milliseconds; default 15 000. */
  cancelWaitMs?: number;
}

/**
 * Feeds another job's events into the job that runs now, under the actors that they name.
 * @returns what the other job gave.
 * @throws {RbeeError} the other job's error under its own code when it did not succeed; `hive_unreachable` when its
 *   events end without a result; the reason of the signal when this job is being stopped.
 */
export function relay(events: AsyncIterable<JobEvent>, options: RelayOptions): Promise<Record<string, unknown>> {
  const scope = currentScope();
  return scope.work.track(scope, relayAll(scope, events, options));
}

async function relayAll(
  scope: Scope,
  events: AsyncIterable<JobEvent>,
  options: RelayOptions,
): Promise<Record<string, unknown>> {
  const result = await readToResult(scope, events, options);
  scope.signal.throwIfAborted();
  if (result.status === "succeeded") return result.data ?? {};
  throw errorOf(result, options.actor);
}

async function readToResult(
  scope: Scope,
  events: AsyncIterable<JobEvent>,
  options: RelayOptions,
): Promise<ResultEvent> {
  const { signal, work } = scope;
  const iterator = events[Symbol.asyncIterator]();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  let release: () => void = () => {};
  const abort = () => {
    const { cancel, cancelWaitMs = 15_000 } = options;
    if (cancel === undefined) {
      stopped.reject(signal.reason);
      return;
    }
    const letGo = work.holdEnd();
    const stopWaiting = work.clock.after(cancelWaitMs, () => {
      stopped.reject(signal.reason);
    });
    release = () => {
      stopWaiting();
      letGo();
    };
    // It may fail because the other side is gone: then there is no result to wait for either.
    Promise.resolve()
      .then(cancel)
      .catch((error: unknown) => {
        stopped.reject(error);
      });
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), stopped.promise]);
      if (next.done === true) throw brokenOff(options.actor);
      if (next.value.type === "result") return next.value;
      pass(scope, next.value, options.actor);
    }
  } finally {
    signal.removeEventListener("abort", abort);
    release();
    // A source that hangs would hang here too.
    Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

function pass(scope: Scope, event: Exclude<JobEvent, ResultEvent>, actor: string): void {
  const { seq: _seq, ts: _ts, job_id: _jobId, ...draft } = event;
  scope.work.emit(scope, { ...draft, actor: draft.actor === "hive" ? actor : draft.actor });
}

const brokenOff = (actor: string): RbeeError =>
  new RbeeError("hive_unreachable", `The events of ${actor} broke off without a result.`, {
    suggestion: "Check that the machine is on and reachable.",
  });

function errorOf(result: ResultEvent, actor: string): RbeeError {
  const { status, error } = result;
  const thrown =
    error === undefined
      ? new RbeeError("internal_error", `The job on ${actor} ended as ${status} without saying why.`)
      : RbeeError.fromBody({ error }, "internal_error");
  return status === "timed_out" ? markTimeLimit(thrown) : thrown;
}
