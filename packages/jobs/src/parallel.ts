import { RbeeError } from "@rbee/contract";
import { currentScope, inScope, type ItemOutcome, type Scope } from "./context.ts";
import { asError, describeFailure, isTimeLimit, markTimeLimit } from "./failure.ts";

export interface ParallelOptions<I> {
  /** What an item is called in the outcome; default: the item itself when it is a text, its `name`, else its number. */
  name?: (item: I) => string;
  /** Who speaks inside; default: whoever spoke around. */
  actor?: (item: I) => string;
}

type Ended<O> = { ok: true; value: O } | { ok: false; error: Error };

/**
 * Does something with every item at once, each to its end whatever becomes of the others. What became of each stands
 * in the job's result under `outcomes`, also when the job fails.
 * @returns what each gave, in the order of the items.
 * @throws {RbeeError} when any failed: with the code of the first that did, naming all; `details.failed` lists them.
 */
export function inParallel<I, O>(
  items: readonly I[],
  run: (item: I, signal: AbortSignal) => O | Promise<O>,
  options: ParallelOptions<I> = {},
): Promise<O[]> {
  const scope = currentScope();
  return scope.work.track(scope, runAll(scope, items, run, options));
}

async function runAll<I, O>(
  around: Scope,
  items: readonly I[],
  run: (item: I, signal: AbortSignal) => O | Promise<O>,
  options: ParallelOptions<I>,
): Promise<O[]> {
  around.signal.throwIfAborted();
  const tasks = items.map((item, index) => {
    const scope = { ...around, parent: around, outcomes: [], abandoned: false };
    return {
      name: nameOf(item, index, options),
      item,
      scope: { ...scope, actor: options.actor?.(item) ?? around.actor },
    };
  });
  const all = await Promise.all(
    tasks.map(async ({ name, item, scope }) => {
      // Stands only if the job's end does not wait for this item, that is when the job was stopped.
      const outcome: ItemOutcome = { item: name, status: "cancelled" };
      around.outcomes.push(outcome);
      const ended = await runOne(scope, item, run);
      Object.assign(outcome, outcomeOf(name, scope, ended));
      if (outcome.error !== undefined) tellOf(scope, outcome);
      return { ended, outcome };
    }),
  );
  around.signal.throwIfAborted();
  const values = all.flatMap(({ ended }) => (ended.ok ? [ended.value] : []));
  if (values.length === all.length) return values;
  throw failureOf(all, all.length);
}

async function runOne<I, O>(
  scope: Scope,
  item: I,
  run: (item: I, signal: AbortSignal) => O | Promise<O>,
): Promise<Ended<O>> {
  try {
    return { ok: true, value: await inScope(scope, async () => run(item, scope.signal)) };
  } catch (thrown) {
    return { ok: false, error: asError(thrown) };
  }
}

function nameOf<I>(item: I, index: number, options: ParallelOptions<I>): string {
  if (options.name !== undefined) return options.name(item);
  if (typeof item === "string") return item;
  const name: unknown = typeof item === "object" && item !== null ? Reflect.get(item, "name") : undefined;
  return typeof name === "string" ? name : String(index + 1);
}

function outcomeOf(item: string, scope: Scope, ended: Ended<unknown>): ItemOutcome {
  const nested = scope.outcomes.length === 0 ? {} : { outcomes: scope.outcomes };
  const { work } = scope;
  if (ended.ok) {
    const data = ended.value === undefined ? {} : { data: work.secrets.record(ended.value) };
    return { item, status: "succeeded", ...data, ...nested };
  }
  const isOutOfTime = isTimeLimit(scope.signal.aborted ? scope.signal.reason : ended.error);
  const status = isOutOfTime ? "timed_out" : scope.signal.aborted ? "cancelled" : "failed";
  return { item, status, error: describeFailure(ended.error, work), ...nested };
}

function tellOf(scope: Scope, { item, status, error }: ItemOutcome): void {
  scope.work.emit(scope, {
    type: "narration",
    actor: scope.actor,
    action: `item_${status}`,
    level: status === "cancelled" ? "warn" : "error",
    message: `${item}: ${error?.message ?? status}`,
    data: { item, status, error },
  });
}

function failureOf(all: readonly { ended: Ended<unknown>; outcome: ItemOutcome }[], count: number): RbeeError {
  const failed = all.flatMap(({ ended, outcome }) => (ended.ok ? [] : [{ outcome, error: ended.error }]));
  const first = failed[0]?.error;
  const known = first instanceof RbeeError ? first : undefined;
  const words = failed.map(({ outcome }) => `${outcome.item}: ${outcome.error?.message ?? outcome.status}`).join("; ");
  const error = new RbeeError(known?.code ?? "internal_error", `${failed.length} of ${count} failed. ${words}`, {
    details: { failed: failed.map(({ outcome }) => outcome.item) },
    suggestion: known?.suggestion,
  });
  return failed.every((each) => isTimeLimit(each.error)) ? markTimeLimit(error) : error;
}
