import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";
import { completionLogprobsSchema } from "./logprobs.ts";
import { mostLogprobs, samplingFields } from "./sampling.ts";
import { timingsSchema, usageSchema } from "./usage.ts";

/** Tokens by their numbers in the model's vocabulary. */
export const tokenListSchema = z.array(z.int().min(0)).min(1).max(1_048_576);

/** The most prompts, or texts to embed, in one request. */
export const mostInputs = 2048;

/** Text, tokens, or several of either. */
export const textsSchema = z.union(
  [
    z.string().min(1),
    z.array(z.string().min(1)).min(1).max(mostInputs),
    tokenListSchema,
    z.array(tokenListSchema).min(1).max(mostInputs),
  ],
  { error: `must be a text, a list of tokens, or up to ${mostInputs} of either, and none of them empty` },
);

/** `POST /v1/completions`: text that goes on where a prompt ends, without a chat template. */
export const completionRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    prompt: textsSchema.describe(
      "Text, tokens, or several of either. Names of control tokens in text are these tokens.",
    ),
    ...samplingFields,
    max_tokens: z
      .int()
      .min(1)
      .nullable()
      .optional()
      .describe("Default 16, as OpenAI has it; null lets the answer fill the context."),
    suffix: z
      .string()
      .nullable()
      .optional()
      .describe("What follows the answer, for models that were trained to fill in the middle."),
    echo: z.boolean().nullable().optional().describe("Whether the prompt stands before the answer."),
    logprobs: z.int().min(0).max(mostLogprobs).nullable().optional(),
    best_of: z.literal(1, { error: "only 1 is supported" }).nullable().optional(),
  })
  .superRefine((request, context) => {
    if (request.echo === true && (request.logprobs ?? null) !== null)
      context.addIssue({ code: "custom", path: ["logprobs"], message: "cannot be combined with echo" });
    if (request.echo === true && (request.suffix ?? null) !== null)
      context.addIssue({ code: "custom", path: ["suffix"], message: "cannot be combined with echo" });
  })
  .meta({ id: "CompletionRequest" });
export type CompletionRequest = z.infer<typeof completionRequestSchema>;

/** A whole answer, or one chunk of a stream: these have the same shape. */
export const completionSchema = z
  .object({
    id: z.string(),
    object: z.literal("text_completion"),
    created: z.int(),
    model: z.string(),
    system_fingerprint: z.string(),
    choices: z.array(
      z.object({
        index: z.int().describe("With several prompts: prompt number times n, plus the choice's number."),
        text: z.string(),
        logprobs: completionLogprobsSchema,
        finish_reason: z.enum(["stop", "length"]).nullable(),
      }),
    ),
    usage: usageSchema.nullable().optional(),
    timings: timingsSchema.optional(),
  })
  .meta({ id: "Completion" });
export type Completion = z.infer<typeof completionSchema>;
