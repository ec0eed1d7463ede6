import { RbeeError, taskAnswerSchema, type ResultEvent, type TaskAnswer, type taskRequestSchema } from "@rbee/contract";
import type * as z from "zod";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { createNarrator } from "../job/narrator.ts";
import { readTask } from "./task-events.ts";

/** So long the queen may take to end what was cancelled before it is left alone. */
const cancelLimitMs = 2_000;
/** The queen answers at once; what takes time is told in the stream. */
const acceptLimitMs = 60_000;

export type TaskInput = z.input<typeof taskRequestSchema>;

/** An answer that came to its end. */
export interface Answer extends TaskAnswer {
  readonly text: string;
}

export interface Asking {
  /** Cancels the request on the queen. */
  readonly signal: AbortSignal;
  /** A piece of the answer. */
  text(piece: string): void;
  /** A piece of what the model thinks before it answers. */
  reasoning?(piece: string): void;
}

/**
 * Asks the household something and hands the answer on as it comes; what has to be done before it can be answered is
 * told on stderr. Nothing is told when the model is ready.
 * @throws {RbeeError} what the task failed with; the signal's reason.
 */
export async function ask(
  context: Pick<Context, "terminal" | "json">,
  { client }: Pick<Connection, "client">,
  task: TaskInput,
  asking: Asking,
): Promise<Answer> {
  const { signal } = asking;
  const connecting = new AbortController();
  const stop = () => {
    connecting.abort(signal.reason);
  };
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  const response = await client.raw
    .task({ body: task, signal: connecting.signal, timeoutMs: acceptLimitMs })
    .finally(() => {
      signal.removeEventListener("abort", stop);
    });
  const requestId = response.headers.get("x-request-id");
  if (response.body === null || requestId === null)
    throw new RbeeError("hive_invalid_response", "The queen answered without a stream.");

  let limit: NodeJS.Timeout | undefined;
  const cancel = () => {
    limit = setTimeout(stop, cancelLimitMs);
    client.cancelInference({ params: { request_id: requestId }, timeoutMs: cancelLimitMs }).catch(stop);
  };
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();

  const narrator = createNarrator({ terminal: context.terminal, verbose: false });
  let text = "";
  let hasBegun = false;
  const begin = () => {
    if (!hasBegun) narrator.rest();
    hasBegun = true;
  };
  try {
    for await (const event of readTask(response.body)) {
      switch (event.type) {
        case "narration":
        case "progress":
          // Before the first token there is something to wait for; later it would tear the answer apart.
          if (!context.json && !hasBegun) narrator.show(event);
          break;
        case "token":
          begin();
          if (signal.aborted) break;
          if (event.reasoning === true) asking.reasoning?.(event.t);
          else {
            text += event.t;
            asking.text(event.t);
          }
          break;
        case "result":
          signal.throwIfAborted();
          if (event.status !== "succeeded") throw failureOf(event);
          return { ...taskAnswerSchema.parse(event.data), text };
      }
    }
    throw new RbeeError("hive_invalid_response", "The queen's answer has no result.");
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    begin();
    clearTimeout(limit);
    signal.removeEventListener("abort", cancel);
    connecting.abort();
  }
}

function failureOf({ status, error }: ResultEvent): RbeeError {
  if (error !== undefined) return RbeeError.fromBody({ error }, "internal_error");
  return new RbeeError("internal_error", `The question ended as ${status} without saying why.`);
}

/** How an answer went, in one line: tokens, their speed, and who gave them. */
export function speedOf({ timings, usage, hive }: Answer): string {
  const tokens = timings?.predicted_n ?? usage?.completion_tokens;
  const speed = timings === null ? "" : ` at ${timings.predicted_per_second.toFixed(1)} tokens/s`;
  return tokens === undefined ? hive : `${tokens} tokens${speed} on ${hive}`;
}
