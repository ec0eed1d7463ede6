import { z } from "zod";

/** One entry of `/v1/models`: OpenAI's fields, with llama-server's `meta` and `status` beside them. */
export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: z.string(),
    meta: z.object({ n_ctx_train: z.int().nullable(), n_params: z.number().nullable(), size: z.int() }),
    aliases: z.array(z.string()).optional().describe("Other names by which it can be asked for."),
    status: z.object({ value: z.enum(["unloaded", "loading", "loaded"]) }),
  })
  .meta({ id: "Model" });

export const modelListSchema = z
  .object({ object: z.literal("list"), data: z.array(modelSchema) })
  .meta({ id: "ModelList" });
