import * as z from "zod";

/** One entry of `/v1/models`: OpenAI's fields, with llama-server's `meta` and `status` beside them. */
export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: z.string(),
    meta: z.object({ n_ctx_train: z.int().nullable(), n_params: z.number().nullable(), size: z.int().nullable() }),
    aliases: z.array(z.string()).optional().describe("Other names by which it can be asked for."),
    served_by: z
      .array(z.string())
      .optional()
      .describe("Servers that serve it and are not rbee's, as `Ollama on attic`; absent when there are none."),
    status: z.object({ value: z.enum(["unloaded", "loading", "loaded"]) }),
  })
  .meta({ id: "Model" });

export const modelListSchema = z
  .object({ object: z.literal("list"), data: z.array(modelSchema) })
  .meta({ id: "ModelList" });
