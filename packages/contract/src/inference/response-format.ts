import * as z from "zod";
import { jsonSchemaSchema } from "./tools.ts";

/** What an answer must look like. A schema is always enforced, whatever `strict` says. */
export const responseFormatSchema = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.literal("text") }),
      z.strictObject({
        type: z.literal("json_object"),
        schema: jsonSchemaSchema.optional().describe("llama.cpp's extra: the same as json_schema."),
      }),
      z.strictObject({
        type: z.literal("json_schema"),
        json_schema: z.strictObject({
          name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/u, "must be 1 to 64 letters, digits, dashes and underscores"),
          description: z.string().optional(),
          schema: jsonSchemaSchema,
          strict: z.boolean().nullable().optional(),
        }),
      }),
    ],
    { error: "only text, json_object and json_schema are supported" },
  )
  .meta({ id: "ResponseFormat" });
export type ResponseFormat = z.infer<typeof responseFormatSchema>;
