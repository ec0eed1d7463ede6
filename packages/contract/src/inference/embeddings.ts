import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";
import { textsSchema } from "./completions.ts";

/** `POST /v1/embeddings`. */
export const embeddingsRequestSchema = z
  .strictObject({
    model: modelIdSchema,
    input: textsSchema.describe("Text, tokens, or several of either."),
    encoding_format: z
      .enum(["float", "base64"])
      .nullable()
      .optional()
      .describe("base64 is little-endian 32-bit floats."),
    dimensions: z.int().min(1).nullable().optional().describe("Only the model's own size is supported."),
    user: z.string().max(256).optional(),
  })
  .meta({ id: "EmbeddingsRequest" });
export type EmbeddingsRequest = z.infer<typeof embeddingsRequestSchema>;

export const embeddingsSchema = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]).describe("A vector of length 1."),
      }),
    ),
    model: z.string(),
    usage: z
      .object({ prompt_tokens: z.int(), total_tokens: z.int() })
      .nullable()
      .describe("null when a server that is not rbee's did not count."),
  })
  .meta({ id: "Embeddings" });
export type Embeddings = z.infer<typeof embeddingsSchema>;
