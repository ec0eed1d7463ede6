import type { Timings, Usage } from "@rbee/contract";
import type { Ask } from "../asks.ts";
import type { TokenCounts } from "../metering.ts";
import {
  callsOf,
  chatSchema,
  completionSchema,
  countsOf,
  embeddingsSchema,
  finishOf,
  stopOf,
  thoughtOf,
  usageOf,
  type ToldChunk,
} from "./answers.ts";
import { foreignFault, noAnswerOf, tellsError } from "./refusal.ts";
import type { ForeignServer } from "./server.ts";

export interface ForeignWhole {
  readonly text: string;
  /** What it cost; null when the server did not tell. */
  readonly counts: TokenCounts | Timings | null;
}

interface Read {
  readonly value: object;
  readonly usage: Usage | null;
  readonly timings: Timings | undefined;
}

type Head = Pick<ToldChunk, "id" | "created" | "system_fingerprint" | "usage" | "timings">;

const headOf = ({ id, created, system_fingerprint }: Head, prefix: string, model: string) => ({
  id: id ?? `${prefix}-${crypto.randomUUID()}`,
  created: created ?? Math.floor(Date.now() / 1_000),
  model,
  system_fingerprint: system_fingerprint ?? "",
});
const timed = (timings: Timings | undefined) => (timings === undefined ? {} : { timings });

function chatOf(value: unknown, model: string): Read | undefined {
  const told = chatSchema.safeParse(value).data;
  if (told === undefined) return undefined;
  const usage = usageOf(told);
  const choices = told.choices.map(({ index, message, logprobs, finish_reason, stop_reason }, position) => {
    const calls = callsOf(message).map((call) => ({
      id: call.id ?? `call_${crypto.randomUUID()}`,
      type: "function",
      function: { name: call.name ?? "", arguments: call.arguments ?? "" },
    }));
    return {
      index: index ?? position,
      message: {
        role: "assistant",
        content: message.content ?? null,
        ...thoughtOf(message),
        ...(calls.length === 0 ? {} : { tool_calls: calls }),
        refusal: null,
      },
      logprobs: logprobs ?? null,
      finish_reason: finishOf(finish_reason || "stop", calls.length > 0),
      ...stopOf(stop_reason),
    };
  });
  const head = headOf(told, "chatcmpl", model);
  return {
    value: { ...head, object: "chat.completion", choices, usage, ...timed(told.timings) },
    usage,
    timings: told.timings,
  };
}

function completionOf(value: unknown, model: string): Read | undefined {
  const told = completionSchema.safeParse(value).data;
  if (told === undefined) return undefined;
  const usage = usageOf(told);
  const choices = told.choices.map(({ index, text, logprobs, finish_reason }, position) => ({
    index: index ?? position,
    text,
    logprobs: logprobs ?? null,
    finish_reason: finishOf(finish_reason) ?? "stop",
  }));
  const head = headOf(told, "cmpl", model);
  return {
    value: { ...head, object: "text_completion", choices, usage, ...timed(told.timings) },
    usage,
    timings: told.timings,
  };
}

function embeddingsOf(value: unknown, model: string): Read | undefined {
  const told = embeddingsSchema.safeParse(value).data;
  if (told === undefined) return undefined;
  const usage = usageOf(told);
  const data = told.data.map(({ index, embedding }, position) => ({
    object: "embedding",
    index: index ?? position,
    embedding,
  }));
  const counted = usage === null ? null : { prompt_tokens: usage.prompt_tokens, total_tokens: usage.prompt_tokens };
  return { value: { object: "list", data, model, usage: counted }, usage, timings: undefined };
}

const readers: Readonly<Record<string, (value: unknown, model: string) => Read | undefined>> = {
  "/v1/chat/completions": chatOf,
  "/v1/completions": completionOf,
  "/v1/embeddings": embeddingsOf,
};

/**
 * A whole answer of somebody else's server as one of ours, by the name of the model that was asked for. What it did
 * not count is null.
 * @throws {RbeeError} `worker_crashed` for what is no answer.
 */
export function foreignWhole(text: string, ask: Ask, server: ForeignServer): ForeignWhole {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw noAnswerOf(server);
  }
  const reader = readers[ask.path];
  // What only llama-server answers is told as our own workers do.
  if (reader === undefined) return { text, counts: null };
  const read = reader(value, ask.model);
  if (read === undefined) {
    throw tellsError(value) ? foreignFault(value, server) : noAnswerOf(server);
  }
  return { text: JSON.stringify(read.value), counts: countsOf(read.timings, read.usage) };
}
