import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";
import { chatLogprobsSchema } from "./logprobs.ts";
import { chatMessageSchema } from "./messages.ts";
import { responseFormatSchema } from "./response-format.ts";
import { maxCompletionTokensField, mostLogprobs, samplingFields } from "./sampling.ts";
import { toolCallDeltaSchema, toolCallSchema, toolChoiceSchema, toolSchema } from "./tools.ts";
import { timingsSchema, usageSchema } from "./usage.ts";

/**
 * `POST /v1/chat/completions`, as OpenAI documents it, with llama.cpp's extra samplers.
 * Unknown fields are refused by name rather than ignored.
 */
export const chatRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    messages: z.array(chatMessageSchema).min(1, "must hold at least one message").max(10_000),
    ...samplingFields,
    max_completion_tokens: maxCompletionTokensField,
    logprobs: z.boolean().nullable().optional(),
    top_logprobs: z.int().min(0).max(mostLogprobs).nullable().optional(),
    response_format: responseFormatSchema.nullable().optional(),
    tools: z.array(toolSchema).max(128).nullable().optional(),
    tool_choice: toolChoiceSchema.nullable().optional().describe("Default: auto when there are tools."),
    parallel_tool_calls: z
      .boolean()
      .nullable()
      .optional()
      .describe("Whether one answer may call several tools. Default true."),
    reasoning_effort: z
      .enum(["none", "minimal", "low", "medium", "high", "xhigh"])
      .nullable()
      .optional()
      .describe("How much a reasoning model thinks, where its template knows such a thing; none switches it off."),
    chat_template_kwargs: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("llama.cpp's extra: values for the model's chat template, for example `enable_thinking`."),
    safety_identifier: z.string().max(256).optional(),
    prompt_cache_key: z.string().max(256).optional(),
    service_tier: z.enum(["auto", "default"], { error: "only auto and default are supported" }).nullable().optional(),
    store: z.literal(false, { error: "only false is supported" }).nullable().optional(),
    metadata: z.record(z.string(), z.string()).nullable().optional(),
  })
  .superRefine((request, context) => {
    const refuse = (path: (string | number)[], message: string) => {
      context.addIssue({ code: "custom", path, message });
    };
    const tools = request.tools ?? [];
    const names = new Set<string>();
    tools.forEach((tool, index) => {
      const { name } = tool.function;
      if (names.has(name)) refuse(["tools", index, "function", "name"], `${name} is there twice`);
      names.add(name);
    });
    const choice = request.tool_choice ?? "auto";
    if (typeof choice === "object" && !names.has(choice.function.name))
      refuse(["tool_choice", "function", "name"], `there is no tool ${choice.function.name}`);
    if (choice === "required" && tools.length === 0) refuse(["tool_choice"], "there are no tools to choose from");
    if ((request.top_logprobs ?? null) !== null && request.logprobs !== true)
      refuse(["top_logprobs"], "needs logprobs to be true");
    if (request.grammar === undefined) return;
    if ((request.response_format ?? { type: "text" }).type !== "text")
      refuse(["grammar"], "cannot be combined with response_format");
    if (tools.length > 0 && choice !== "none") refuse(["grammar"], "cannot be combined with tools");
  })
  .meta({ id: "ChatRequest" });
export type ChatRequest = z.infer<typeof chatRequestSchema>;

export const finishReasonSchema = z.enum(["stop", "length", "tool_calls"]);
export type FinishReason = z.infer<typeof finishReasonSchema>;

const stopReasonField = z
  .string()
  .nullable()
  .optional()
  .describe("vLLM's extra: the stop string that ended the answer; absent when none did.");

const answerHead = {
  id: z.string(),
  created: z.int().describe("Unix time in seconds."),
  model: z.string(),
  system_fingerprint: z.string(),
};

export const chatCompletionSchema = z
  .object({
    ...answerHead,
    object: z.literal("chat.completion"),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable().describe("null when it only calls tools."),
          reasoning_content: z.string().optional().describe("What a reasoning model thought before it answered."),
          tool_calls: z.array(toolCallSchema).optional(),
          refusal: z.null(),
        }),
        logprobs: chatLogprobsSchema,
        finish_reason: finishReasonSchema,
        stop_reason: stopReasonField,
      }),
    ),
    usage: usageSchema,
    timings: timingsSchema,
  })
  .meta({ id: "ChatCompletion" });
export type ChatCompletion = z.infer<typeof chatCompletionSchema>;

/** A chat's answer from whoever has the model. Servers that are not rbee's may not count. */
export const chatAnswerSchema = chatCompletionSchema
  .extend({
    usage: usageSchema.nullable().describe("null when a server that is not rbee's did not count."),
    timings: timingsSchema.optional().describe("Absent when a server that is not rbee's answered."),
  })
  .meta({ id: "ChatAnswer" });
export type ChatAnswer = z.infer<typeof chatAnswerSchema>;

export const chatChunkSchema = z
  .object({
    ...answerHead,
    object: z.literal("chat.completion.chunk"),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({
          role: z.literal("assistant").optional(),
          content: z.string().nullable().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCallDeltaSchema).optional(),
        }),
        logprobs: chatLogprobsSchema,
        finish_reason: finishReasonSchema.nullable(),
        stop_reason: stopReasonField,
      }),
    ),
    usage: usageSchema.nullable().optional(),
    timings: timingsSchema.optional().describe("On the last chunk that has choices."),
  })
  .meta({ id: "ChatCompletionChunk" });
export type ChatChunk = z.infer<typeof chatChunkSchema>;
