import * as z from "zod";
import { contextChoiceSchema } from "./context-choice.ts";
import { errorBodySchema } from "./errors.ts";
import { healthSchema } from "./heartbeat.ts";
import { kvTypeSchema } from "./model-settings.ts";
import {
  backendSchema,
  hiveIdSchema,
  modelIdSchema,
  timestampSchema,
  workerEngineSchema,
  workerIdSchema,
} from "./identifiers.ts";
import { workerStateSchema } from "./workers.ts";

const evictionSchema = z.object({
  worker_id: workerIdSchema,
  model: modelIdSchema,
  idle_s: z.number().nullable().describe("How long it has had nothing to do."),
});

/**
 * What a request for a model would meet: a worker that has it; one that is loading it; a hive where it would be
 * loaded, after workers that have nothing to do were stopped or not; a wait for memory that others use; or a refusal.
 */
export const placementKindSchema = z
  .enum(["use", "wait", "load", "evict", "later", "refuse"])
  .meta({ id: "PlacementKind" });
export type PlacementKind = z.infer<typeof placementKindSchema>;

/** Why a hive is a place for a model, or why it is not. */
export const placementVerdictSchema = z
  .enum([
    "use",
    "wait",
    "load",
    "evict",
    "later",
    "no_memory",
    "no_backend",
    "no_engine",
    "no_model",
    "failing",
    "starting",
    "down",
  ])
  .meta({ id: "PlacementVerdict" });
export type PlacementVerdict = z.infer<typeof placementVerdictSchema>;

const placedWorkerSchema = z.object({
  worker_id: workerIdSchema,
  state: workerStateSchema,
  device: z.string().nullable(),
  slots_total: z.int().nullable(),
  context_length: z.int().nullable().describe("Tokens of context per slot; null until it is loaded."),
  requests: z.int().describe("Requests that it is answering."),
  idle_s: z.number().nullable(),
});

/** One hive as a place for the model. */
export const placementHiveSchema = z.object({
  hive_id: hiveIdSchema,
  name: z.string(),
  health: healthSchema,
  verdict: placementVerdictSchema,
  chosen: z.boolean().describe("Whether the decision is about this hive."),
  reason: z.string().describe("The verdict as one plain sentence."),
  backend: backendSchema.nullable(),
  device: z.string().nullable().describe("The device that was judged; null when it did not come to that."),
  need_mb: z.number().nullable().describe("Memory that a new worker would need there, head room included."),
  have_mb: z.number().nullable().describe("Memory that is free for it now; null when that cannot be measured."),
  context: contextChoiceSchema
    .extend({ message: z.string().describe("The same as one plain sentence.") })
    .nullable()
    .describe("What a new worker would have there; null when it did not come to that."),
  evicts: z.array(evictionSchema).describe("Workers that would be stopped to make room."),
  workers: z.array(placedWorkerSchema).describe("The workers of this model there."),
  breaker: z
    .object({
      failures: z.int().describe("Loads that failed in a row."),
      retry_at: timestampSchema.nullable().describe("Until then it is not tried again; null while it may be."),
      error: errorBodySchema.shape.error,
    })
    .nullable()
    .describe("How loading this model there failed lately."),
});

/** `GET /v1/models/{id}/placement`: where a request for a model would go now, and why. */
export const placementExplanationSchema = z
  .object({
    model: modelIdSchema,
    decision: z.object({
      kind: placementKindSchema,
      message: z.string().describe("The decision as one plain sentence."),
      hive_id: hiveIdSchema.nullable(),
      hive: z.string().nullable(),
      backend: backendSchema.nullable(),
      device: z.string().nullable(),
      worker_id: workerIdSchema.nullable(),
      evicts: z.array(evictionSchema),
      error: errorBodySchema.shape.error.nullable().describe("What a request would be answered with, when refused."),
    }),
    settings: z.object({
      context_length: z.int().nullable(),
      slots: z.int().nullable(),
      gpu_layers: z.int().nullable(),
      flash_attention: z.boolean().nullable(),
      kv_type: kvTypeSchema.nullable(),
      engine: workerEngineSchema.nullable(),
      pinned: z.boolean(),
      preload: z.boolean(),
    }),
    preload: z
      .object({
        state: z.enum(["waiting", "loading", "loaded", "failed"]),
        at: timestampSchema,
        error: errorBodySchema.shape.error.nullable(),
      })
      .nullable()
      .describe("How loading it at the start went; null when nobody asked for that."),
    hives: z.array(placementHiveSchema),
  })
  .meta({ id: "PlacementExplanation" });
export type PlacementExplanation = z.infer<typeof placementExplanationSchema>;

/** What an explanation may be asked about in particular. */
export const placementQuerySchema = z.strictObject({
  backend: backendSchema.optional(),
  device: z.string().max(64).optional().describe("Device id from /capabilities, for example `cuda:0`."),
  hive: z.string().min(1).max(330).optional().describe("Id or name of a hive; all of them when left out."),
});
