import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";

/** `POST /tokenize`, as llama-server has it; `model` is needed where there is a choice of models. */
export const tokenizeRequestSchema = z
  .strictObject({
    model: modelIdSchema.optional(),
    content: z.string(),
    add_special: z
      .boolean()
      .default(false)
      .describe("Whether a beginning-of-sequence token comes first where the model wants one."),
    parse_special: z.boolean().default(true).describe("Whether names of control tokens are these tokens."),
    with_pieces: z.boolean().default(false),
  })
  .meta({ id: "TokenizeRequest" });
export type TokenizeRequest = z.infer<typeof tokenizeRequestSchema>;

export const tokenizeAnswerSchema = z
  .object({
    tokens: z.array(
      z.union([
        z.int(),
        z.object({
          id: z.int(),
          piece: z
            .union([z.string(), z.array(z.int())])
            .describe("Its text, or its bytes when they are no whole characters."),
        }),
      ]),
    ),
  })
  .meta({ id: "Tokens" });
export type TokenizeAnswer = z.infer<typeof tokenizeAnswerSchema>;

export const detokenizeRequestSchema = z
  .strictObject({ model: modelIdSchema.optional(), tokens: z.array(z.int().min(0)).max(1_048_576) })
  .meta({ id: "DetokenizeRequest" });
export type DetokenizeRequest = z.infer<typeof detokenizeRequestSchema>;

export const detokenizeAnswerSchema = z.object({ content: z.string() }).meta({ id: "Text" });

/** How many tokens a chat request's prompt has, template and tools included. */
export const inputTokensSchema = z
  .object({
    object: z.literal("chat.completion.input_tokens"),
    input_tokens: z.int(),
    context_length: z.int().describe("Tokens that prompt and answer may have together."),
  })
  .meta({ id: "InputTokens" });
export type InputTokens = z.infer<typeof inputTokensSchema>;
