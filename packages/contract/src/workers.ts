import * as z from "zod";
import { backendSchema, engineSchema, modelIdSchema, timestampSchema, workerIdSchema } from "./identifiers.ts";
import { errorBodySchema } from "./errors.ts";
import { externalSourceSchema } from "./external.ts";
import { contextLengthSchema, gpuLayersSchema, idleStopSchema, kvTypeSchema, slotsSchema } from "./model-settings.ts";
import { helperSchema, spreadSchema } from "./spread.ts";

export const workerStateSchema = z
  .enum(["starting", "loading", "ready", "busy", "draining", "stopped", "failed"])
  .meta({ id: "WorkerState" });
export type WorkerState = z.infer<typeof workerStateSchema>;

/** Stands in a message before the last lines that a worker logged; what follows it is for administrators. */
export const lastWordsMark = " Its last words: ";

/** What the queen asks a hive to start. What is left out, the hive chooses and reports. */
export const workerSpawnSchema = z
  .strictObject({
    model: modelIdSchema,
    backend: backendSchema.optional(),
    device: z.string().max(64).optional().describe("Device id from /capabilities, for example `cuda:0`."),
    slots: slotsSchema.optional().describe("Requests answered at the same time."),
    context_length: contextLengthSchema
      .optional()
      .describe(
        "Tokens of context per slot; when left out, the hive chooses by what the model was trained for and what fits.",
      ),
    extend_context: z
      .boolean()
      .optional()
      .describe("Takes the context as it is asked for, even where it is longer than the model was trained for."),
    gpu_layers: gpuLayersSchema
      .optional()
      .describe("Layers that a GPU computes, the others stay in main memory; all when left out."),
    flash_attention: z.boolean().optional().describe("The engine's choice when left out."),
    kv_type: kvTypeSchema.optional().describe("How the attention cache is kept; f16 when left out."),
    engine: engineSchema.optional().describe("What runs it; `node-llama-cpp` when left out."),
    idle_stop_s: idleStopSchema.optional().describe("Seconds without work after which it is stopped; -1 never."),
    helpers: z
      .array(helperSchema)
      .min(1)
      .max(15)
      .optional()
      .describe("Other machines that compute a part of the model; only with the engine llama-server."),
  })
  .meta({ id: "WorkerSpawn" });
export type WorkerSpawn = z.infer<typeof workerSpawnSchema>;

/** A worker as its hive knows it. */
export const workerSchema = z
  .object({
    worker_id: workerIdSchema,
    model: modelIdSchema,
    engine: engineSchema,
    backend: backendSchema.nullable().describe("null when it is unknown, as it is of external servers."),
    device: z.string().nullable().describe("null when it is unknown, as it is of external servers."),
    state: workerStateSchema,
    pid: z.int().nullable(),
    load_progress: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .describe("Share of the model that is loaded; null when it is not loading."),
    context_length: z.int().nullable().describe("Tokens of context per slot; null until the model is loaded."),
    slots_total: z.int().nullable(),
    slots_busy: z.int().nullable(),
    queued: z.int().nullable().describe("Requests that wait for a slot inside the worker."),
    started_at: timestampSchema,
    ready_at: timestampSchema.nullable(),
    restarts: z.int().describe("How often it was restarted after a crash."),
    error: errorBodySchema.shape.error.nullable().describe("Why it failed, or why it last crashed."),
    external: externalSourceSchema
      .optional()
      .describe("The server that it is a model of; absent for a worker that rbee started."),
    spread: spreadSchema,
  })
  .meta({ id: "Worker" });
export type Worker = z.infer<typeof workerSchema>;

/** Whether a worker really answers: asked of its process, not of what its hive last heard. */
export const workerCheckSchema = z
  .object({
    worker: workerSchema,
    answered_in_ms: z.number().min(0).nullable().describe("null when it does not answer, or serves nobody now."),
    problem: z.string().nullable().describe("What is wrong with it, for people; null when it is well."),
  })
  .meta({ id: "WorkerCheck" });
export type WorkerCheck = z.infer<typeof workerCheckSchema>;

/** What a worker process tells its hive over the process channel. */
export const workerMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("loading"), progress: z.number().min(0).max(1) }),
  z.object({
    type: z.literal("ready"),
    slots_total: z.int(),
    context_length: z.int(),
    backend: backendSchema,
    device: z.string(),
  }),
  z.object({ type: z.literal("activity"), slots_busy: z.int(), queued: z.int(), tokens_per_s: z.number() }),
  z.object({ type: z.literal("failed"), error: errorBodySchema.shape.error }),
  z.object({ type: z.literal("drained") }),
]);
export type WorkerMessage = z.infer<typeof workerMessageSchema>;

/** What a hive tells its worker process over the process channel. */
export const workerCommandSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("drain"),
    limit_ms: z.number().min(0).optional().describe("When it is ended although it is not done."),
  }),
  z.object({ type: z.literal("threads"), threads: z.int().min(1).describe("To compute with from the next step on.") }),
]);
export type WorkerCommand = z.infer<typeof workerCommandSchema>;

/** The header of an inference request with the key that the user's parked conversations are encrypted with. */
export const parkingKeyHeader = "x-rbee-parking-key";

/** Whether answers are guessed from what stood before them (prompt lookup decoding). */
export const speculationSchema = z.enum(["auto", "always", "off"]);

/** How a hive starts a worker process: the JSON value of its `--options` argument. */
export const workerProcessOptionsSchema = z.strictObject({
  worker_id: workerIdSchema,
  model: modelIdSchema.describe("The id it answers for."),
  model_path: z.string().describe("Absolute path of the GGUF file."),
  socket_path: z.string().describe("Unix socket (or Windows named pipe) to listen on."),
  backend: backendSchema,
  device: z.string(),
  slots: z.int().min(1),
  context_length: z
    .int()
    .min(64)
    .optional()
    .describe("Per slot; what the hive chose. The least that fits anywhere when it is left out."),
  extend_context: z.boolean().optional().describe("Whether that may be more than the model was trained for."),
  gpu_layers: gpuLayersSchema.optional().describe("Layers on the GPU; all when left out. Of no effect on a CPU."),
  flash_attention: z.boolean().optional().describe("The engine's choice when left out."),
  kv_type: kvTypeSchema.optional().describe("How the attention cache is kept; f16 when left out."),
  threads: z.int().min(1),
  speculation: speculationSchema
    .default("auto")
    .describe("Whether what a text repeats is guessed: where it pays, wherever it can be, or never."),
  queue_limit: z.int().min(0).default(64).describe("Requests that may wait for a slot before 503 worker_busy."),
  parking: z
    .strictObject({
      folder: z.string().describe("A private folder, which all workers of the hive share."),
      limit_mb: z.number().min(0).describe("All parked conversations together."),
      disk_margin_mb: z.number().min(0).describe("Disk space that is left free."),
    })
    .optional()
    .describe("Where conversations are kept that lose their slot; nowhere when left out."),
});
export type WorkerProcessOptions = z.infer<typeof workerProcessOptionsSchema>;

export const workerHealthSchema = z
  .object({
    status: z.enum(["loading", "ok", "draining"]),
    model: modelIdSchema,
    slots_total: z.int().nullable(),
    slots_busy: z.int().nullable(),
    queued: z.int().nullable(),
  })
  .meta({ id: "WorkerHealth" });
