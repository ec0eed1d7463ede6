import * as z from "zod";

const textPart = z.strictObject({ type: z.literal("text", { error: "only text is supported" }), text: z.string() });
const content = z.union([z.string(), z.array(textPart).min(1)]).describe("Text, or text parts.");
const name = z.string().max(64).optional();
const nothing = z.null({ error: "only null is supported" }).optional();

const messageToolCall = z.strictObject({
  id: z.string().max(256),
  type: z.literal("function").default("function"),
  index: z.int().optional(),
  function: z.strictObject({ name: z.string().max(256), arguments: z.string().describe("JSON text of an object.") }),
});

/**
 * One message of a conversation. An assistant message may be an answer as it was received, fields and all, because
 * clients send it back so.
 */
export const chatMessageSchema = z
  .discriminatedUnion("role", [
    z.strictObject({ role: z.literal("system"), content, name }),
    z.strictObject({ role: z.literal("developer"), content, name }),
    z.strictObject({ role: z.literal("user"), content, name }),
    z.strictObject({
      role: z.literal("assistant"),
      content: content.nullable().optional(),
      name,
      refusal: nothing,
      tool_calls: z.array(messageToolCall).max(128).nullable().optional(),
      reasoning_content: z
        .string()
        .nullable()
        .optional()
        .describe("What it thought; templates that keep thoughts get it."),
      audio: nothing,
      function_call: nothing,
      annotations: z.array(z.never()).nullable().optional(),
    }),
    z.strictObject({ role: z.literal("tool"), content, tool_call_id: z.string().min(1).max(256), name }),
  ])
  .meta({ id: "ChatMessage" });
export type ChatMessage = z.infer<typeof chatMessageSchema>;
