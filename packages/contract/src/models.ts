import * as z from "zod";
import { hiveModelSchema, modelFileSchema } from "./capabilities.ts";
import { modelIdSchema, timestampSchema } from "./identifiers.ts";

/** A model in a hive's catalogue, with what changes as it is used. */
export const catalogueModelSchema = hiveModelSchema
  .extend({
    state: z
      .enum(["ready", "incomplete", "damaged", "missing"])
      .describe("`incomplete`: parts are not there; `missing`: none is. Only a ready model can be started."),
    problem: z.string().nullable().describe("Why it cannot be started, in words."),
    provider: z
      .enum(["hub", "hive", "import", "folder"])
      .describe("Where it came from; `folder`: it was found in a folder of models."),
    downloaded_at: timestampSchema.nullable(),
    last_used_at: timestampSchema.nullable(),
  })
  .meta({ id: "CatalogueModel" });
export type CatalogueModel = z.infer<typeof catalogueModelSchema>;

/** What can be changed about a model; what is left out stays. */
export const modelUpdateSchema = z
  .strictObject({
    pinned: z.boolean().optional().describe("A pinned model is not deleted without force."),
    aliases: z.array(modelIdSchema).max(32).optional().describe("Other names for it; they replace those it has."),
  })
  .meta({ id: "ModelUpdate" });
export type ModelUpdate = z.output<typeof modelUpdateSchema>;

/** Leave for another hive to fetch one model's files, for a while. */
export const modelGrantSchema = z
  .object({
    model: modelIdSchema,
    token: z.string().describe("Bearer for `GET /v1/models/{id}/files/{name}` of this model alone."),
    expires_at: timestampSchema,
    files: z.array(modelFileSchema.extend({ sha256: z.string() })),
  })
  .meta({ id: "ModelGrant" });
export type ModelGrant = z.infer<typeof modelGrantSchema>;
