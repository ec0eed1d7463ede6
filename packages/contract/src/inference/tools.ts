import * as z from "zod";

const functionName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/u, "must be 1 to 64 letters, digits, dashes and underscores");

/** A JSON schema as a client sends it; what the worker cannot enforce it refuses by name. */
export const jsonSchemaSchema = z.record(z.string(), z.unknown());

export const toolSchema = z
  .strictObject({
    type: z.literal("function", { error: "only function is supported" }),
    function: z.strictObject({
      name: functionName,
      description: z.string().optional(),
      parameters: jsonSchemaSchema.nullable().optional().describe("JSON schema of the arguments."),
      strict: z.boolean().nullable().optional().describe("Arguments match the schema either way."),
    }),
  })
  .meta({ id: "Tool" });
export type Tool = z.infer<typeof toolSchema>;

export const toolChoiceSchema = z
  .union([
    z.enum(["none", "auto", "required"]),
    z.strictObject({ type: z.literal("function"), function: z.strictObject({ name: functionName }) }),
  ])
  .meta({ id: "ToolChoice" });
export type ToolChoice = z.infer<typeof toolChoiceSchema>;

/** A call in a message: `arguments` is JSON text. */
export const toolCallSchema = z
  .object({
    id: z.string(),
    type: z.literal("function"),
    function: z.object({ name: z.string(), arguments: z.string() }),
  })
  .meta({ id: "ToolCall" });
export type ToolCall = z.infer<typeof toolCallSchema>;

/** A piece of a call in a stream: the first one has id, type and name, the others only more of `arguments`. */
export const toolCallDeltaSchema = z
  .object({
    index: z.int(),
    id: z.string().optional(),
    type: z.literal("function").optional(),
    function: z.object({ name: z.string().optional(), arguments: z.string().optional() }),
  })
  .meta({ id: "ToolCallDelta" });
export type ToolCallDelta = z.infer<typeof toolCallDeltaSchema>;
