import { z } from "zod";
import { hiveIdSchema, modelIdSchema } from "./identifiers.ts";

const ownChoice = "null leaves the choice to the hive.";
export const slotsSchema = z.int().min(1).max(64);
export const contextLengthSchema = z.int().min(64).max(1_048_576);
export const gpuLayersSchema = z.int().min(0).max(1_024);
export const idleStopSchema = z.int().min(-1).max(31_536_000);

const values = {
  context_length: contextLengthSchema.nullable().describe(`Tokens of context per slot; ${ownChoice}`),
  extend_context: z
    .boolean()
    .describe("Whether the context may be longer than what the model was trained for, where answers get worse."),
  slots: slotsSchema.nullable().describe(`Requests that one worker answers at the same time; ${ownChoice}`),
  gpu_layers: gpuLayersSchema
    .nullable()
    .describe("Layers that a GPU computes, the others stay in main memory; null puts all of them on the GPU."),
  idle_stop_s: idleStopSchema
    .nullable()
    .describe(`Seconds without work after which a worker stops, -1 never; ${ownChoice}`),
  preload: z.boolean().describe("Whether it is loaded when the queen starts and when a hive that has it comes back."),
  pinned: z
    .boolean()
    .describe(
      "A pinned model is not deleted without force, never makes room for another, and does not stop when idle.",
    ),
  across: z
    .array(hiveIdSchema)
    .max(16)
    .describe(
      "The machines that share the model, the one with its files first; empty to run it on one, wherever it fits.",
    ),
  aliases: z.array(modelIdSchema).max(32).describe("Other names by which the whole household can ask for it."),
};

/** What the household decided about one model. Workers get it when they start. */
export const modelSettingsSchema = z
  .object({
    model: modelIdSchema,
    ...values,
    trained_context_length: z.int().nullable().describe("What the model was trained for, in tokens."),
    notes: z
      .array(z.string())
      .describe("What is worth knowing, in plain words: workers that run with former settings, hives not told yet, …"),
  })
  .meta({ id: "ModelSettings" });
export type ModelSettings = z.infer<typeof modelSettingsSchema>;

/** What to change; what is left out stays, null goes back to the hive's own choice. */
export const modelSettingsUpdateSchema = z.strictObject(values).partial().meta({ id: "ModelSettingsUpdate" });
export type ModelSettingsUpdate = z.output<typeof modelSettingsUpdateSchema>;
