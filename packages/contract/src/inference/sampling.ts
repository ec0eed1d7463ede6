import * as z from "zod";

const maxTokens = z.int().min(1).nullable().optional();

/** The most answers of one request. */
export const mostChoices = 8;
/** The most alternatives that `top_logprobs` may ask for, as OpenAI has it. */
export const mostLogprobs = 20;

/** The fields of an answer's sampling that every way of asking for text shares. */
export const samplingFields = {
  stream: z.boolean().nullable().default(false),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullable().optional(),
  max_tokens: maxTokens,
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
  seed: z.int().nullable().optional().describe("Choice i of several is sampled with seed + i."),
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
  n: z.int().min(1).max(mostChoices).nullable().optional().describe("How many answers."),
  grammar: z
    .string()
    .min(1)
    .max(200_000)
    .optional()
    .describe("A grammar in llama.cpp's GBNF, with a rule `root`, that the answer must match."),
  user: z.string().max(256).optional(),
} as const;

/** `max_completion_tokens` is the newer name of `max_tokens`. */
export const maxCompletionTokensField = maxTokens;
