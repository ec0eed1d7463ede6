import { timingsSchema, type Timings, type Usage } from "@rbee/contract";
import * as z from "zod";
import type { TokenCounts } from "../metering.ts";

const count = z.int().min(0);

const usageSchema = z
  .object({
    prompt_tokens: count,
    completion_tokens: count.nullable().optional(),
    prompt_tokens_details: z
      .object({ cached_tokens: count.nullable().optional() })
      .nullable()
      .optional()
      .catch(undefined),
    completion_tokens_details: z
      .object({ reasoning_tokens: count.nullable().optional() })
      .nullable()
      .optional()
      .catch(undefined),
  })
  .nullable()
  .optional()
  .catch(undefined);

const text = z.string().nullable().optional();
const saidFields = {
  content: text.catch(undefined),
  reasoning_content: text.catch(undefined),
  /** The same by Ollama's and newer vLLM's name. */
  reasoning: text.catch(undefined),
  tool_calls: z
    .array(
      z.object({
        index: z.int().min(0).optional(),
        id: z.string().nullable().optional(),
        function: z.object({ name: text, arguments: z.union([text, z.record(z.string(), z.unknown())]) }),
      }),
    )
    .nullable()
    .optional(),
};
const choiceFields = {
  index: z.int().min(0).optional(),
  logprobs: z.unknown().optional(),
  finish_reason: text.catch(undefined),
  stop_reason: z.unknown().optional(),
};
const headFields = {
  id: z.string().optional().catch(undefined),
  created: z.int().optional().catch(undefined),
  system_fingerprint: z.string().optional().catch(undefined),
  usage: usageSchema,
  timings: timingsSchema.optional().catch(undefined),
};

/** What servers send as pieces of a stream: of chats with `delta`, of completions with `text`. */
export const chunkSchema = z.object({
  ...headFields,
  choices: z
    .array(z.object({ ...choiceFields, delta: z.object(saidFields).optional(), text: text.catch(undefined) }))
    .nullable()
    .optional(),
});
export type ToldChunk = z.infer<typeof chunkSchema>;

export const chatSchema = z.object({
  ...headFields,
  choices: z.array(z.object({ ...choiceFields, message: z.object(saidFields) })).min(1),
});
export const completionSchema = z.object({
  ...headFields,
  choices: z.array(z.object({ ...choiceFields, text: z.string() })).min(1),
});
export const embeddingsSchema = z.object({
  ...headFields,
  data: z
    .array(z.object({ index: z.int().min(0).optional(), embedding: z.union([z.array(z.number()), z.string()]) }))
    .min(1),
});

type Told = Pick<ToldChunk, "usage" | "timings">;

/** What a server counted as the household counts it; null where it did not tell. */
export function usageOf({ usage }: Told): Usage | null {
  if (usage === undefined || usage === null) return null;
  const {
    prompt_tokens,
    completion_tokens,
    prompt_tokens_details: prompt,
    completion_tokens_details: completion,
  } = usage;
  const written = completion_tokens ?? 0;
  const reasoning = completion?.reasoning_tokens;
  return {
    prompt_tokens,
    completion_tokens: written,
    total_tokens: prompt_tokens + written,
    prompt_tokens_details: { cached_tokens: Math.min(prompt_tokens, prompt?.cached_tokens ?? 0) },
    ...(typeof reasoning === "number" ? { completion_tokens_details: { reasoning_tokens: reasoning } } : {}),
  };
}

/** What an answer cost; null where nobody told. */
export function countsOf(timings: Timings | undefined | null, usage: Usage | null): TokenCounts | Timings | null {
  if (timings) return timings;
  if (usage === null) return null;
  const cached = usage.prompt_tokens_details.cached_tokens;
  return { cache_n: cached, prompt_n: usage.prompt_tokens - cached, predicted_n: usage.completion_tokens };
}

/** Why an answer ended, by one of the three names that there are. Some say `stop` after calls of tools. */
export function finishOf(reason: string | null | undefined, hasCalls = false): "stop" | "length" | "tool_calls" | null {
  if (reason === null || reason === undefined || reason === "") return null;
  if (reason === "length" || reason === "tool_calls") return reason;
  return reason === "function_call" || hasCalls ? "tool_calls" : "stop";
}

/** The stop string that ended an answer, where the server tells it. */
export const stopOf = (reason: unknown): { stop_reason?: string } =>
  typeof reason === "string" && reason !== "" ? { stop_reason: reason } : {};

type Said = z.infer<z.ZodObject<typeof saidFields>>;

export const thoughtOf = ({ reasoning_content, reasoning }: Said): { reasoning_content?: string } => {
  const thought = reasoning_content ?? reasoning ?? "";
  return thought === "" ? {} : { reasoning_content: thought };
};

/** Tools that are called: OpenAI's arguments are text. */
export const callsOf = ({ tool_calls: calls }: Said) =>
  (calls ?? []).map(({ index, id, function: { name, arguments: args } }) => ({
    index,
    id: id === null || id === "" ? undefined : id,
    name: name ?? undefined,
    arguments:
      typeof args === "string" || args === null || args === undefined ? (args ?? undefined) : JSON.stringify(args),
  }));
