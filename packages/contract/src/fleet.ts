import * as z from "zod";
import { capabilitiesSchema } from "./capabilities.ts";
import { enrolmentKindSchema } from "./enrolment.ts";
import { healthSchema, nodeTelemetrySchema, workerTelemetrySchema } from "./heartbeat.ts";
import { hiveIdSchema, modelIdSchema, timestampSchema } from "./identifiers.ts";
import { errorBodySchema } from "./errors.ts";
import { externalSourceSchema } from "./external.ts";
import { loanTelemetrySchema } from "./spread.ts";

/** One second of a hive's past, for sparklines. */
export const telemetrySampleSchema = z.object({
  ts: timestampSchema,
  cpu_pct: z.number().nullable(),
  ram_pct: z.number().nullable(),
  gpu_pct: z.number().nullable().describe("Mean over the hive's GPUs; null without one."),
  vram_pct: z.number().nullable(),
});
export type TelemetrySample = z.infer<typeof telemetrySampleSchema>;

/** One hive as the queen sees it now. */
export const fleetHiveSchema = z
  .object({
    hive_id: hiveIdSchema,
    name: z.string(),
    enrolment: enrolmentKindSchema,
    address: z.string().nullable().describe("host:port; null for members and until it is known."),
    health: healthSchema,
    last_seen_at: timestampSchema.nullable(),
    version: z.string().nullable(),
    /** Null until the queen has read the hive's capabilities. */
    capabilities: capabilitiesSchema.nullable(),
    /** The last telemetry; stale as soon as `health` is not `healthy`. */
    node: nodeTelemetrySchema.nullable(),
    workers: z.array(workerTelemetrySchema),
    loans: z.array(loanTelemetrySchema).optional().describe("What it computes for workers of other hives."),
    problem: errorBodySchema.shape.error.nullable().describe("Why the queen cannot use this hive, when it cannot."),
  })
  .meta({ id: "FleetHive" });
export type FleetHive = z.infer<typeof fleetHiveSchema>;

/** A worker with the hive that it runs on. */
export const householdWorkerSchema = workerTelemetrySchema
  .extend({ hive_id: hiveIdSchema, hive: z.string().describe("The hive's name.") })
  .meta({ id: "HouseholdWorker" });
export type HouseholdWorker = z.infer<typeof householdWorkerSchema>;

export const fleetModelSchema = z
  .object({
    id: modelIdSchema,
    name: z.string(),
    state: z.enum(["unloaded", "loading", "loaded"]),
    load_progress: z.number().nullable(),
    hives: z.array(hiveIdSchema).describe("Those that have its files."),
    external: z
      .array(externalSourceSchema.pick({ kind: true, name: true }).extend({ hive_id: hiveIdSchema }))
      .optional()
      .describe(
        "Servers that serve it now and are not rbee's, with the hive that passes requests on to them; absent where there are none.",
      ),
    size_bytes: z.int().nullable().describe("null when only external servers have it."),
    parameters: z.number().nullable(),
    quantization: z.string().nullable(),
    context_length: z.int().nullable(),
    has_chat_template: z.boolean(),
    aliases: z.array(modelIdSchema).describe("Other names by which it can be asked for."),
    pinned: z.boolean().describe("Neither deleted without force nor stopped for idleness or to make room."),
  })
  .meta({ id: "FleetModel" });
export type FleetModel = z.infer<typeof fleetModelSchema>;

export const fleetSnapshotSchema = z
  .object({
    ts: timestampSchema,
    queen: z.object({ version: z.string(), started_at: timestampSchema, household: z.string() }),
    hives: z.array(fleetHiveSchema),
    models: z.array(fleetModelSchema),
    totals: z.object({
      tokens_per_s: z.number(),
      requests_running: z.int(),
      requests_waiting: z.int(),
      jobs_running: z.int(),
    }),
  })
  .meta({ id: "FleetSnapshot" });
export type FleetSnapshot = z.infer<typeof fleetSnapshotSchema>;

/** First event of `GET /v1/fleet/stream` (`event: history`): up to 60 s of past per hive, oldest first. */
export const fleetHistorySchema = z
  .object({ hives: z.record(hiveIdSchema, z.array(telemetrySampleSchema)) })
  .meta({ id: "FleetHistory" });
export type FleetHistory = z.infer<typeof fleetHistorySchema>;

/** `event: transition`: a hive's health changed. */
export const healthTransitionSchema = z
  .object({ ts: timestampSchema, hive_id: hiveIdSchema, name: z.string(), from: healthSchema, to: healthSchema })
  .meta({ id: "HealthTransition" });
export type HealthTransition = z.infer<typeof healthTransitionSchema>;
