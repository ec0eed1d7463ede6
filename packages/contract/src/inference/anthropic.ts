import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";

/** A hint where a prompt may be cached. Prompts are cached by themselves here, so there is nothing to do for it. */
const cacheControl = z
  .strictObject({ type: z.literal("ephemeral"), ttl: z.enum(["5m", "1h"]).optional() })
  .nullable()
  .optional();

const textBlock = z.strictObject({
  type: z.literal("text"),
  text: z.string(),
  cache_control: cacheControl,
  citations: z.null().optional(),
});

const toolResultBlock = z.strictObject({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1).max(256),
  content: z.union([z.string(), z.array(textBlock)]).optional(),
  is_error: z.boolean().optional(),
  cache_control: cacheControl,
});

const toolUseBlock = z.strictObject({
  type: z.literal("tool_use"),
  id: z.string().min(1).max(256),
  name: z.string().min(1).max(128),
  input: z.record(z.string(), z.unknown()),
  cache_control: cacheControl,
  caller: z.strictObject({ type: z.literal("direct") }).optional(),
});

const thinkingBlock = z.strictObject({ type: z.literal("thinking"), thinking: z.string(), signature: z.string() });

export const anthropicMessageSchema = z
  .discriminatedUnion("role", [
    z.strictObject({
      role: z.literal("user"),
      content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textBlock, toolResultBlock])).min(1)]),
    }),
    z.strictObject({
      role: z.literal("assistant"),
      content: z.union([
        z.string(),
        z.array(z.discriminatedUnion("type", [textBlock, toolUseBlock, thinkingBlock])).min(1),
      ]),
    }),
  ])
  .meta({ id: "AnthropicMessage" });
export type AnthropicMessage = z.infer<typeof anthropicMessageSchema>;

const tool = z.strictObject({
  type: z.literal("custom", { error: "only tools of the type custom are supported" }).nullable().optional(),
  name: z.string().regex(/^[\w-]{1,64}$/u, "must be 1 to 64 letters, digits, _ or -"),
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()),
  strict: z.boolean().optional(),
  cache_control: cacheControl,
});

const parallel = { disable_parallel_tool_use: z.boolean().optional() };
const toolChoice = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("auto"), ...parallel }),
  z.strictObject({ type: z.literal("any"), ...parallel }),
  z.strictObject({ type: z.literal("tool"), name: z.string(), ...parallel }),
  z.strictObject({ type: z.literal("none") }),
]);

const conversation = {
  model: modelIdSchema,
  messages: z.array(anthropicMessageSchema).min(1, "must hold at least one message").max(10_000),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  tools: z.array(tool).max(128).optional(),
  tool_choice: toolChoice.optional(),
  thinking: z
    .discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("enabled"),
        budget_tokens: z.int().min(1).describe("A wish: only max_tokens limits how long a model thinks."),
      }),
      z.strictObject({ type: z.literal("adaptive") }),
      z.strictObject({ type: z.literal("disabled") }),
    ])
    .optional()
    .describe("Models that think do so as their template says; `disabled` asks those that can to leave it."),
  cache_control: cacheControl,
};

/** `POST /v1/messages`, as Anthropic documents it. Fields that are not known are refused by name. */
export const messagesRequestSchema = z
  .strictObject({
    ...conversation,
    max_tokens: z.int().min(1),
    stream: z.boolean().default(false),
    stop_sequences: z.array(z.string().min(1)).max(16).optional(),
    temperature: z.number().min(0).max(1).optional().describe("Default 1."),
    top_p: z.number().min(0).max(1).optional(),
    top_k: z.int().min(0).optional(),
    metadata: z.strictObject({ user_id: z.string().max(512).nullable().optional() }).optional(),
    service_tier: z.enum(["auto", "standard_only"]).optional(),
    output_config: z
      .strictObject({
        format: z
          .strictObject({ type: z.literal("json_schema"), schema: z.record(z.string(), z.unknown()) })
          .nullable()
          .optional(),
      })
      .optional(),
  })
  .meta({ id: "MessagesRequest" });
export type MessagesRequest = z.output<typeof messagesRequestSchema>;

/** `POST /v1/messages/count_tokens`. */
export const countTokensRequestSchema = z.strictObject(conversation).meta({ id: "CountTokensRequest" });
export type CountTokensRequest = z.output<typeof countTokensRequestSchema>;
export const countTokensAnswerSchema = z.object({ input_tokens: z.int() }).meta({ id: "CountTokensAnswer" });

export const messagesUsageSchema = z.object({
  input_tokens: z.int().describe("Prompt tokens that were computed."),
  cache_creation_input_tokens: z.int(),
  cache_read_input_tokens: z.int().describe("Prompt tokens that were in the cache."),
  output_tokens: z.int(),
});
export type MessagesUsage = z.infer<typeof messagesUsageSchema>;

export const answerBlockSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("thinking"), thinking: z.string(), signature: z.string() }),
  z.object({ type: z.literal("text"), text: z.string(), citations: z.null() }),
  z.object({
    type: z.literal("tool_use"),
    id: z.string(),
    name: z.string(),
    input: z.record(z.string(), z.unknown()),
  }),
]);
export type AnswerBlock = z.infer<typeof answerBlockSchema>;

export const stopReasonSchema = z.enum(["end_turn", "max_tokens", "stop_sequence", "tool_use"]);
export type StopReason = z.infer<typeof stopReasonSchema>;

export const messagesAnswerSchema = z
  .object({
    id: z.string(),
    type: z.literal("message"),
    role: z.literal("assistant"),
    model: z.string(),
    content: z.array(answerBlockSchema),
    stop_reason: stopReasonSchema.nullable(),
    stop_sequence: z.string().nullable(),
    usage: messagesUsageSchema,
  })
  .meta({ id: "MessagesAnswer" });
export type MessagesAnswer = z.infer<typeof messagesAnswerSchema>;
