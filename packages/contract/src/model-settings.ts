import * as z from "zod";
import { hiveIdSchema, modelIdSchema, workerEngineSchema } from "./identifiers.ts";

const ownChoice = "null leaves the choice to the hive.";
export const slotsSchema = z.int().min(1).max(64);
export const contextLengthSchema = z.int().min(64).max(1_048_576);
export const gpuLayersSchema = z.int().min(0).max(1_024);
/** How keys and values of the attention cache are kept. */
export const kvTypeSchema = z.enum(["f16", "q8_0", "q4_0"]).meta({ id: "KvType" });
export type KvType = z.infer<typeof kvTypeSchema>;
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
  flash_attention: z
    .boolean()
    .nullable()
    .describe("Whether attention is computed in one pass, which takes less memory; null lets the engine decide."),
  kv_type: kvTypeSchema
    .nullable()
    .describe(
      "How the attention cache is kept: q8_0 takes about half the memory of f16 and q4_0 about a quarter, at some cost in quality; null is f16.",
    ),
  engine: workerEngineSchema
    .nullable()
    .describe("What workers run on; null is node-llama-cpp. Only hives that have the engine are places for the model."),
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

/** Values that a quantised type keeps together: the width of a head must be a multiple of it. */
export const kvBlockValues = 32;

/**
 * Why a worker cannot be started with these settings of its attention cache, as a plain sentence with the field it is
 * about; null when it can. llama.cpp refuses both cases, without saying more than that it has no context.
 * @param heads widths of the model's keys and values; null or left out where they are not known.
 */
export function kvProblem(
  { flash_attention, kv_type }: { flash_attention?: boolean | null | undefined; kv_type?: KvType | null | undefined },
  heads?: { key_length?: number | null | undefined; value_length?: number | null | undefined } | null,
): { param: "flash_attention" | "kv_type"; message: string } | null {
  if (kv_type === undefined || kv_type === null || kv_type === "f16") return null;
  if (flash_attention === false)
    return {
      param: "flash_attention",
      message: `An attention cache of ${kv_type} needs flash attention, and it is switched off.`,
    };
  const width = [heads?.key_length, heads?.value_length].find(
    (each) => typeof each === "number" && each % kvBlockValues !== 0,
  );
  if (width === undefined || width === null) return null;
  return {
    param: "kv_type",
    message: `This model cannot keep its attention cache as ${kv_type}: its heads are ${width} wide, which is no multiple of ${kvBlockValues}.`,
  };
}
