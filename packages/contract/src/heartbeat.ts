import * as z from "zod";
import {
  backendSchema,
  engineSchema,
  hiveIdSchema,
  modelIdSchema,
  timestampSchema,
  workerIdSchema,
} from "./identifiers.ts";
import { errorBodySchema } from "./errors.ts";
import { externalSourceSchema } from "./external.ts";
import { loanTelemetrySchema, spreadSchema } from "./spread.ts";
import { workerStateSchema } from "./workers.ts";

const unknown = "null when it cannot be measured.";
const externalUnknown = "null when it is unknown, as it is of external servers.";
const share = z.number().min(0).max(100);
const megabytes = z.number().min(0);

export const gpuTelemetrySchema = z.object({
  id: z.string().describe("Device id, for example `cuda:0`."),
  name: z.string(),
  util_pct: share.nullable().describe(unknown),
  vram_used_mb: megabytes.nullable().describe(unknown),
  vram_total_mb: megabytes.nullable().describe(unknown),
  temp_c: z.number().nullable().describe(unknown),
  power_w: z.number().nullable().describe(unknown),
});
export type GpuTelemetry = z.infer<typeof gpuTelemetrySchema>;

export const nodeTelemetrySchema = z.object({
  cpu_pct: share.nullable().describe(`Of all cores together, smoothed; ${unknown}`),
  ram_used_mb: megabytes.nullable().describe(`Smoothed; ${unknown}`),
  ram_total_mb: megabytes.nullable().describe(unknown),
  load1: z.number().min(0).nullable().describe(`Load average over one minute; ${unknown}`),
  gpus: z.array(gpuTelemetrySchema).max(64),
});
export type NodeTelemetry = z.infer<typeof nodeTelemetrySchema>;

export const workerTelemetrySchema = z.object({
  worker_id: workerIdSchema,
  model: modelIdSchema,
  engine: engineSchema,
  backend: backendSchema.nullable().describe(externalUnknown),
  device: z.string().nullable().describe(externalUnknown),
  state: workerStateSchema,
  pid: z.int().nullable(),
  cpu_pct: z.number().min(0).nullable().describe(`Of one core, so it can pass 100; ${unknown}`),
  rss_mb: megabytes.nullable().describe(unknown),
  vram_mb: megabytes.nullable().describe(unknown),
  uptime_s: z.number().min(0),
  load_progress: z.number().min(0).max(1).nullable(),
  need_device_mb: megabytes
    .optional()
    .describe("Memory of its device's own that it was promised at its start; 0 where the device has none."),
  need_ram_mb: megabytes.optional().describe("Main memory that it was promised at its start."),
  slots_total: z.int().min(0).nullable(),
  slots_busy: z.int().min(0).nullable(),
  tokens_per_s: z.number().min(0).nullable().describe(unknown),
  idle_s: z.number().min(0).nullable().default(null).describe("Seconds without work; 0 while it works."),
  stops_in_s: z
    .number()
    .min(0)
    .nullable()
    .default(null)
    .describe("Seconds until it is stopped for want of work; null while it works, and when it is never stopped."),
  context_length: z
    .int()
    .nullable()
    .default(null)
    .describe("Tokens of context per slot; null until the model is loaded."),
  queued: z.int().min(0).nullable().default(null).describe("Requests that wait for a slot inside the worker."),
  restarts: z.int().min(0).default(0).describe("How often it was started again after a crash."),
  error: errorBodySchema.shape.error.nullable().default(null).describe("Why it failed, or why it last crashed."),
  external: externalSourceSchema
    .optional()
    .describe("The server that it is a model of; absent for a worker that rbee started."),
  spread: spreadSchema,
});
export type WorkerTelemetry = z.infer<typeof workerTelemetrySchema>;

/** `POST /v1/hive-heartbeat`, once a second from each hive. */
export const heartbeatSchema = z
  .object({
    hive_id: hiveIdSchema,
    ts: timestampSchema,
    seq: z.int().min(0).describe("Counts up from 0 since the hive process started."),
    version: z.string().max(64),
    port: z.int().min(1).max(65_535).describe("The port the hive listens on; its address is the sender's."),
    capabilities_rev: z
      .string()
      .max(64)
      .describe("Changes when /capabilities would answer something else, so that the queen asks again."),
    node: nodeTelemetrySchema,
    workers: z.array(workerTelemetrySchema).max(256),
    loans: z.array(loanTelemetrySchema).max(256).optional().describe("What it computes for workers of other hives."),
  })
  .meta({ id: "Heartbeat" });
export type Heartbeat = z.infer<typeof heartbeatSchema>;

export const heartbeatAnswerSchema = z.object({ ok: z.literal(true) }).meta({ id: "HeartbeatAnswer" });

/** How fresh a hive's last heartbeat is: under 3 s, 3 to 10 s, over 10 s; `starting` before the first one. */
export const healthSchema = z.enum(["starting", "healthy", "degraded", "down"]).meta({ id: "Health" });
export type Health = z.infer<typeof healthSchema>;

export const freshnessMs = { degradedAfter: 3_000, downAfter: 10_000 } as const;
