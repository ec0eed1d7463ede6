import * as z from "zod";
import { modelFileSchema } from "./capabilities.ts";
import { modelIdSchema } from "./identifiers.ts";
import { modelReferenceSchema } from "./model-reference.ts";

/** Another hive that has the model, with leave to fetch it there: what that hive's `grantModel` gave. */
export const modelSourceSchema = z
  .strictObject({
    name: z.string().max(64).describe("How people call that hive."),
    url: z.url({ protocol: /^https?$/u, error: "must be an http or https URL" }).describe("That hive's address."),
    model: modelIdSchema.describe("The model's id there."),
    token: z.string().min(16).max(256).describe("The grant's token; never shown again."),
    files: z
      .array(modelFileSchema.extend({ sha256: z.string().regex(/^[0-9a-f]{64}$/u) }))
      .min(1)
      .max(1_000),
  })
  .meta({ id: "ModelSource" });
export type ModelSource = z.output<typeof modelSourceSchema>;

/** What `POST /v1/jobs` of a hive starts. */
export const hiveJobRequestSchema = z
  .discriminatedUnion("operation", [
    z
      .strictObject({
        operation: z.literal("model_download"),
        model: modelReferenceSchema,
        id: modelIdSchema.optional().describe("Id in the catalogue; made from the file's name when left out."),
        sources: z
          .array(modelSourceSchema)
          .max(16)
          .default([])
          .describe("Hives to try before the hub. A model that is named by its id comes from them alone."),
      })
      .describe("Brings a model to this hive: from a neighbour, from the hub, or (file://) from where it lies."),
    z
      .strictObject({
        operation: z.literal("model_delete"),
        model: modelReferenceSchema,
        force: z.boolean().default(false).describe("Also when it is pinned or a worker runs it; that one is stopped."),
      })
      .describe("Deletes what was downloaded; an imported file is only forgotten."),
    z.strictObject({ operation: z.literal("self_check") }).describe("Checks that this hive can do its work."),
  ])
  .meta({ id: "HiveJobRequest" });
export type HiveJobRequest = z.output<typeof hiveJobRequestSchema>;
