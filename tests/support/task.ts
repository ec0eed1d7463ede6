import { setTimeout as wait } from "node:timers/promises";
import type { NarrationEvent, QueenClient, ResultEvent, TaskAnswer, TaskEvent } from "@rbee/contract";
import { readTask } from "../../packages/cli/src/inference/task-events.ts";

type Input = Parameters<QueenClient["raw"]["task"]>[0]["body"];

/** A task under way. */
export interface StartedTask {
  readonly requestId: string;
  readonly events: AsyncGenerator<TaskEvent, void, undefined>;
}

/** Everything that a task told. */
export interface ToldTask {
  readonly requestId: string;
  readonly events: readonly TaskEvent[];
  readonly result: ResultEvent & { readonly data?: Partial<TaskAnswer> & Record<string, unknown> };
  readonly text: string;
  /** The steps and news of the task itself, in their order: what jobs that it started did inside is left out. */
  readonly actions: readonly string[];
  readonly narrations: readonly NarrationEvent[];
}

const own = new Set(["registry", "connect", "hive_start", "preflight", "provision", "spawn", "ready"]);

/** Starts a task. @throws {RbeeError} what it is refused with. */
export async function startTask(client: QueenClient, body: Input, signal?: AbortSignal): Promise<StartedTask> {
  const response = await client.raw.task({ body, ...(signal === undefined ? {} : { signal }) });
  const requestId = response.headers.get("x-request-id");
  if (response.body === null || requestId === null) throw new Error("the task has no stream or no id");
  return { requestId, events: readTask(response.body) };
}

/** What a task told, as tests look at it. */
export function toldBy(requestId: string, events: readonly TaskEvent[]): ToldTask {
  const result = events.at(-1);
  if (result?.type !== "result") throw new Error("the task has no result");
  const narrations = events.flatMap((event) => (event.type === "narration" ? [event] : []));
  const steps = narrations.filter(({ action, level, data }) => {
    const isBegin = data?.["state"] === "started" || action === "ready";
    return own.has(action) && level !== "debug" && isBegin;
  });
  return {
    requestId,
    events,
    result,
    text: events.flatMap((event) => (event.type === "token" ? [event.t] : [])).join(""),
    actions: [...new Set(steps.map(({ action }) => action))],
    narrations,
  };
}

/** Runs a task to its end. @throws {RbeeError} what it is refused with. */
export async function runTask(client: QueenClient, body: Input): Promise<ToldTask> {
  const { requestId, events } = await startTask(client, body);
  const told: TaskEvent[] = [];
  for await (const event of events) told.push(event);
  return toldBy(requestId, told);
}

/** The task, which must have succeeded. @throws Error with everything it told when it did not */
export function answered(told: ToldTask): ToldTask {
  if (told.result.status === "succeeded") return told;
  const story = told.narrations.map(({ action, message }) => `${action}: ${message}`).join("\n");
  throw new Error(`the task ${told.result.status}: ${JSON.stringify(told.result.error, null, 2)}\n${story}`);
}

/** Reads on until the first piece of an answer has come. */
export async function untilToken({ events }: StartedTask): Promise<TaskEvent[]> {
  const seen: TaskEvent[] = [];
  for (;;) {
    const next = await Promise.race([events.next(), wait(60_000, undefined, { ref: false })]);
    if (next === undefined || next.done === true) throw new Error(`no token came after ${JSON.stringify(seen)}`);
    seen.push(next.value);
    if (next.value.type === "token") return seen;
    if (next.value.type === "result") throw new Error(`the task was over first: ${JSON.stringify(next.value)}`);
  }
}
