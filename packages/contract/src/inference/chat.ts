import { z } from "zod";
import { modelIdSchema } from "../identifiers.ts";

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });
const content = z.union([z.string(), z.array(textPart).min(1)]).describe("Text, or text parts.");
const name = z.string().max(64).optional();

export const chatMessageSchema = z
  .discriminatedUnion("role", [
    z.strictObject({ role: z.literal("system"), content, name }),
    z.strictObject({ role: z.literal("developer"), content, name }),
    z.strictObject({ role: z.literal("user"), content, name }),
    z.strictObject({
      role: z.literal("assistant"),
      content: content.nullable().optional(),
      name,
      refusal: z.null().optional(),
    }),
  ])
  .meta({ id: "ChatMessage" });
export type ChatMessage = z.infer<typeof chatMessageSchema>;

const maxTokens = z.int().min(1).nullable().optional();

/**
 * `POST /v1/chat/completions`, as OpenAI documents it, with llama.cpp's extra samplers.
 * Unknown fields are refused by name rather than ignored.
 */
export const chatRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    messages: z.array(chatMessageSchema).min(1, "must hold at least one message").max(10_000),
    stream: z.boolean().nullable().default(false),
    stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullable().optional(),
    max_tokens: maxTokens,
    max_completion_tokens: maxTokens,
    temperature: z
      .number()
      .min(0)
      .max(2)
      .nullable()
      .optional()
      .describe("0 always takes the likeliest token. Default 1."),
    top_p: z.number().min(0).max(1).nullable().optional(),
    top_k: z.int().min(0).nullable().optional().describe("0 switches it off."),
    min_p: z.number().min(0).max(1).nullable().optional(),
    seed: z.int().nullable().optional(),
    stop: z
      .union([z.string().min(1), z.array(z.string().min(1)).max(16)])
      .nullable()
      .optional(),
    presence_penalty: z.number().min(-2).max(2).nullable().optional(),
    frequency_penalty: z.number().min(-2).max(2).nullable().optional(),
    repeat_penalty: z.number().min(0.1).max(10).nullable().optional(),
    logit_bias: z
      .record(z.string().regex(/^\d+$/u, "must be a token id"), z.number().min(-100).max(100))
      .nullable()
      .optional(),
    n: z.literal(1, { error: "only 1 is supported" }).nullable().optional(),
    logprobs: z.literal(false, { error: "only false is supported" }).nullable().optional(),
    response_format: z.strictObject({ type: z.literal("text", { error: "only text is supported" }) }).optional(),
    user: z.string().max(256).optional(),
    store: z.literal(false, { error: "only false is supported" }).nullable().optional(),
    metadata: z.record(z.string(), z.string()).nullable().optional(),
  })
  .meta({ id: "ChatRequest" });
export type ChatRequest = z.infer<typeof chatRequestSchema>;

export const finishReasonSchema = z.enum(["stop", "length"]);
export type FinishReason = z.infer<typeof finishReasonSchema>;

export const usageSchema = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }),
  })
  .meta({ id: "Usage" });
export type Usage = z.infer<typeof usageSchema>;

/** llama-server's `timings`, on the last content chunk of a stream and on whole answers; the queen meters from it. */
export const timingsSchema = z
  .object({
    cache_n: z.int().describe("Prompt tokens taken from the slot's cache."),
    prompt_n: z.int().describe("Prompt tokens computed."),
    prompt_ms: z.number(),
    prompt_per_second: z.number(),
    predicted_n: z.int(),
    predicted_ms: z.number(),
    predicted_per_second: z.number(),
  })
  .meta({ id: "Timings" });
export type Timings = z.infer<typeof timingsSchema>;

export const chatCompletionSchema = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.int(),
    model: z.string(),
    system_fingerprint: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema,
    timings: timingsSchema,
  })
  .meta({ id: "ChatCompletion" });
export type ChatCompletion = z.infer<typeof chatCompletionSchema>;

export const chatChunkSchema = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion.chunk"),
    created: z.int(),
    model: z.string(),
    system_fingerprint: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({ role: z.literal("assistant").optional(), content: z.string().optional() }),
        logprobs: z.null(),
        finish_reason: finishReasonSchema.nullable(),
      }),
    ),
    usage: usageSchema.nullable().optional(),
    timings: timingsSchema.optional(),
  })
  .meta({ id: "ChatCompletionChunk" });
export type ChatChunk = z.infer<typeof chatChunkSchema>;
