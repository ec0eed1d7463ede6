import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";

const switchedOff = (what: string) => z.literal(0, { error: `${what} is not supported` }).optional();

/** Sampling and sizes by Ollama's names. What would have to be ignored is refused by name. */
export const ollamaOptionsSchema = z.strictObject({
  num_ctx: z.int().min(64).max(1_048_576).optional().describe("Tokens of context that the answer must have room in."),
  num_predict: z.int().min(-2).optional().describe("Most tokens to answer; -1 and -2: as long as there is room."),
  temperature: z.number().min(0).max(2).optional().describe("Default 0.8, as Ollama's."),
  top_k: z.int().min(0).optional(),
  top_p: z.number().min(0).max(1).optional(),
  min_p: z.number().min(0).max(1).optional(),
  seed: z.int().optional(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(16)]).optional(),
  repeat_penalty: z.number().min(0.1).max(10).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  mirostat: switchedOff("mirostat"),
});
export type OllamaOptions = z.infer<typeof ollamaOptionsSchema>;

const keepAlive = z
  .union([z.number(), z.string().max(32)])
  .nullable()
  .optional()
  .describe("A wish: how long a model stays loaded is set for each model by the household.");
const format = z
  .union([z.enum(["", "json"]), z.record(z.string(), z.unknown())])
  .nullable()
  .optional()
  .describe("`json`, or a JSON schema that the answer follows.");
const noImages = z.array(z.unknown()).max(0, "images are not supported").nullable().optional();

const toolCall = z.strictObject({
  id: z.string().optional(),
  function: z.strictObject({
    index: z.int().optional(),
    name: z.string().min(1).max(128),
    arguments: z.record(z.string(), z.unknown()),
  }),
});

const message = z.strictObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string().default(""),
  thinking: z.string().optional(),
  images: noImages,
  tool_calls: z.array(toolCall).max(128).nullable().optional(),
  tool_name: z.string().max(128).optional(),
  tool_call_id: z.string().max(256).optional(),
});
export type OllamaMessage = z.output<typeof message>;

const tool = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: z.string().regex(/^[\w-]{1,64}$/u, "must be 1 to 64 letters, digits, _ or -"),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
});

const asked = {
  model: modelIdSchema,
  stream: z.boolean().default(true),
  format,
  options: ollamaOptionsSchema.nullable().optional(),
  keep_alive: keepAlive,
  think: z.boolean().nullable().optional().describe("Whether a model that can think does."),
};

/** `POST /api/chat`, as Ollama documents it. No messages: the model is only loaded. */
export const ollamaChatRequestSchema = z
  .strictObject({
    ...asked,
    messages: z.array(message).max(10_000).default([]),
    tools: z.array(tool).max(128).nullable().optional(),
  })
  .meta({ id: "OllamaChatRequest" });
export type OllamaChatRequest = z.output<typeof ollamaChatRequestSchema>;

/** `POST /api/generate`, as Ollama documents it. An empty prompt: the model is only loaded. */
export const ollamaGenerateRequestSchema = z
  .strictObject({
    ...asked,
    prompt: z.string().default(""),
    system: z.string().optional(),
    suffix: z.string().optional(),
    raw: z.boolean().optional().describe("The prompt goes to the model as it is, without its chat template."),
    images: noImages,
    template: z.literal("", { error: "templates of one's own are not supported" }).optional(),
    context: z.array(z.int()).max(0, "is not supported; send the conversation to /api/chat").optional(),
  })
  .meta({ id: "OllamaGenerateRequest" });
export type OllamaGenerateRequest = z.output<typeof ollamaGenerateRequestSchema>;

/** `POST /api/embed`. */
export const ollamaEmbedRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    input: z.union([z.string(), z.array(z.string()).min(1).max(2_048)]),
    truncate: z.boolean().optional().describe("Nothing is ever cut off: what does not fit is refused either way."),
    dimensions: z.int().min(1).optional(),
    options: ollamaOptionsSchema.pick({ num_ctx: true }).nullable().optional(),
    keep_alive: keepAlive,
  })
  .meta({ id: "OllamaEmbedRequest" });
export type OllamaEmbedRequest = z.output<typeof ollamaEmbedRequestSchema>;

export const ollamaShowRequestSchema = z
  .strictObject({ model: modelIdSchema, verbose: z.boolean().optional() })
  .meta({ id: "OllamaShowRequest" });

const durations = {
  total_duration: z.int().describe("All durations in nanoseconds."),
  load_duration: z.int(),
  prompt_eval_count: z.int(),
  prompt_eval_duration: z.int(),
  eval_count: z.int(),
  eval_duration: z.int(),
};

/** One line of a stream; the last one, with `done`, carries counts and durations. */
export const ollamaChatAnswerSchema = z
  .object({
    model: z.string(),
    created_at: z.string(),
    message: z.object({
      role: z.literal("assistant"),
      content: z.string(),
      thinking: z.string().optional(),
      tool_calls: z
        .array(
          z.object({
            function: z.object({ index: z.int(), name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
          }),
        )
        .optional(),
    }),
    done: z.boolean(),
    done_reason: z.string().optional(),
    ...z.object(durations).partial().shape,
  })
  .meta({ id: "OllamaChatAnswer" });
export type OllamaChatAnswer = z.infer<typeof ollamaChatAnswerSchema>;

export const ollamaGenerateAnswerSchema = z
  .object({
    model: z.string(),
    created_at: z.string(),
    response: z.string(),
    thinking: z.string().optional(),
    done: z.boolean(),
    done_reason: z.string().optional(),
    ...z.object(durations).partial().shape,
  })
  .meta({ id: "OllamaGenerateAnswer" });
export type OllamaGenerateAnswer = z.infer<typeof ollamaGenerateAnswerSchema>;

export const ollamaEmbedAnswerSchema = z
  .object({
    model: z.string(),
    embeddings: z.array(z.array(z.number())),
    total_duration: z.int(),
    prompt_eval_count: z.int().optional(),
  })
  .meta({ id: "OllamaEmbedAnswer" });

const detailsSchema = z.object({
  parent_model: z.string(),
  format: z.enum(["gguf", ""]).describe("Empty for a model of a server that is not rbee's."),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: z.string(),
});
const listedModel = {
  name: z.string(),
  model: z.string(),
  size: z.int().nullable().describe("null for a model of a server that is not rbee's."),
  digest: z.string(),
  details: detailsSchema,
};

export const ollamaTagsSchema = z
  .object({ models: z.array(z.object({ ...listedModel, modified_at: z.string().nullable() })) })
  .meta({ id: "OllamaTags" });

export const ollamaRunningSchema = z
  .object({
    models: z.array(
      z.object({
        ...listedModel,
        expires_at: z.string().nullable(),
        size_vram: z.int().nullable(),
        context_length: z.int().nullable(),
      }),
    ),
  })
  .meta({ id: "OllamaRunning" });

export const ollamaShowSchema = z
  .object({
    license: z.string(),
    modelfile: z.string(),
    parameters: z.string(),
    template: z.string(),
    details: detailsSchema,
    model_info: z.record(z.string(), z.unknown()),
    capabilities: z.array(z.string()),
    modified_at: z.string().nullable(),
  })
  .meta({ id: "OllamaShow" });
