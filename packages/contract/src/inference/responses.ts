import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";

const inputText = z.strictObject({ type: z.literal("input_text"), text: z.string() });
const outputText = z.strictObject({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: z.array(z.unknown()).max(0, "annotations are not supported").optional(),
  logprobs: z.array(z.unknown()).nullable().optional(),
});
const itemStatus = z.enum(["in_progress", "completed", "incomplete"]);
const itemId = z.string().max(256).nullable().optional();

const message = z.strictObject({
  type: z.literal("message").optional(),
  id: itemId,
  status: itemStatus.nullable().optional(),
  role: z.enum(["user", "assistant", "system", "developer"]),
  content: z.union([z.string(), z.array(z.discriminatedUnion("type", [inputText, outputText])).min(1)]),
});

const functionCall = z.strictObject({
  type: z.literal("function_call"),
  id: itemId,
  call_id: z.string().min(1).max(256),
  name: z.string().min(1).max(128),
  arguments: z.string(),
  status: itemStatus.nullable().optional(),
});

const functionCallOutput = z.strictObject({
  type: z.literal("function_call_output"),
  id: itemId,
  call_id: z.string().min(1).max(256),
  output: z.union([z.string(), z.array(inputText)]),
  status: itemStatus.nullable().optional(),
});

const reasoningItem = z.strictObject({
  type: z.literal("reasoning"),
  id: itemId,
  summary: z.array(z.strictObject({ type: z.literal("summary_text"), text: z.string() })),
  content: z.array(z.strictObject({ type: z.literal("reasoning_text"), text: z.string() })).optional(),
  encrypted_content: z.null().optional(),
  status: itemStatus.nullable().optional(),
});

/** Something said, called or thought, now or in an earlier turn. */
export const responseInputItemSchema = z
  .union([message, z.discriminatedUnion("type", [functionCall, functionCallOutput, reasoningItem])])
  .meta({ id: "ResponseInputItem" });
export type ResponseInputItem = z.infer<typeof responseInputItemSchema>;

const functionTool = z.strictObject({
  type: z.literal("function", { error: "only tools of the type function are supported" }),
  name: z.string().regex(/^[\w-]{1,64}$/u, "must be 1 to 64 letters, digits, _ or -"),
  description: z.string().nullable().optional(),
  parameters: z.record(z.string(), z.unknown()).nullable().optional(),
  strict: z.boolean().nullable().optional(),
});

const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.strictObject({ type: z.literal("function"), name: z.string() }),
]);

const textFormat = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    name: z.string().max(64),
    description: z.string().optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullable().optional(),
  }),
]);

/**
 * `POST /v1/responses`, as OpenAI documents it. Fields that are not known are refused by name, as are values that would
 * have to be ignored.
 */
export const responsesRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    input: z.union([z.string(), z.array(responseInputItemSchema).min(1, "must hold at least one item").max(10_000)]),
    instructions: z.string().nullable().optional(),
    previous_response_id: z.string().max(128).nullable().optional(),
    store: z
      .boolean()
      .nullable()
      .default(true)
      .describe("Whether a later request may name this response; it is kept in memory for an hour."),
    stream: z.boolean().nullable().default(false),
    stream_options: z
      .strictObject({ include_obfuscation: z.literal(false).optional() })
      .nullable()
      .optional(),
    max_output_tokens: z.int().min(1).nullable().optional(),
    temperature: z.number().min(0).max(2).nullable().optional(),
    top_p: z.number().min(0).max(1).nullable().optional(),
    tools: z.array(functionTool).max(128).optional(),
    tool_choice: toolChoice.optional(),
    parallel_tool_calls: z.boolean().nullable().optional(),
    text: z.strictObject({ format: textFormat.optional() }).optional(),
    truncation: z.literal("disabled", { error: "only disabled is supported" }).nullable().optional(),
    background: z.literal(false, { error: "only false is supported" }).nullable().optional(),
    metadata: z
      .record(z.string().max(64), z.string().max(512))
      .refine((pairs) => Object.keys(pairs).length <= 16, "must have at most 16 pairs")
      .nullable()
      .optional(),
    user: z.string().max(256).optional(),
    safety_identifier: z.string().max(256).optional(),
    prompt_cache_key: z.string().max(256).optional(),
    service_tier: z.enum(["auto", "default"]).nullable().optional(),
    include: z.array(z.string()).max(0, "nothing can be included").nullable().optional(),
  })
  .meta({ id: "ResponsesRequest" });
export type ResponsesRequest = z.output<typeof responsesRequestSchema>;

const outputItem = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("message"),
    id: z.string(),
    status: itemStatus,
    role: z.literal("assistant"),
    content: z.array(
      z.object({
        type: z.literal("output_text"),
        text: z.string(),
        annotations: z.array(z.unknown()),
        logprobs: z.array(z.unknown()),
      }),
    ),
  }),
  z.object({
    type: z.literal("function_call"),
    id: z.string(),
    call_id: z.string(),
    name: z.string(),
    arguments: z.string(),
    status: itemStatus,
  }),
  z.object({
    type: z.literal("reasoning"),
    id: z.string(),
    summary: z.array(z.unknown()),
    content: z.array(z.object({ type: z.literal("reasoning_text"), text: z.string() })),
    status: itemStatus,
  }),
]);
export type ResponseOutputItem = z.infer<typeof outputItem>;

export const responseUsageSchema = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({ cached_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});
export type ResponseUsage = z.infer<typeof responseUsageSchema>;

/** A response as it is answered, and as every event about the whole of it carries it. */
export const responseSchema = z
  .object({
    id: z.string(),
    object: z.literal("response"),
    created_at: z.int(),
    status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.literal("max_output_tokens") }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: z.int().nullable(),
    model: z.string(),
    output: z.array(outputItem),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.string().nullable(),
    reasoning: z.object({ effort: z.null(), summary: z.null() }),
    store: z.boolean(),
    temperature: z.number(),
    text: z.object({ format: z.record(z.string(), z.unknown()) }),
    tool_choice: toolChoice,
    tools: z.array(functionTool),
    top_p: z.number(),
    truncation: z.literal("disabled"),
    usage: responseUsageSchema.nullable(),
    user: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: "Response" });
export type ModelResponse = z.infer<typeof responseSchema>;
