import * as z from "zod";
import { externalServerSchema } from "./external.ts";
import { modelMemoryFactsSchema } from "./model-memory.ts";
import { apiVersion, backendSchema, engineSchema, hiveIdSchema, modelIdSchema } from "./identifiers.ts";

export const deviceSchema = z
  .object({
    id: z.string().describe("`cpu`, `cuda:0`, `metal:0`, …"),
    backend: backendSchema,
    name: z.string(),
    vram_total_mb: z.number().nullable().describe("null for the CPU and where it cannot be read."),
    compute_capability: z.string().nullable().describe("NVIDIA only."),
    memory_of: z
      .string()
      .optional()
      .describe("Whose memory it uses when it has none of its own: `ram`, or the id of another device."),
  })
  .meta({ id: "Device" });
export type Device = z.infer<typeof deviceSchema>;

/** One of the files that a model is made of. */
export const modelFileSchema = z
  .object({
    name: z
      .string()
      .max(255)
      .regex(/^(?!\.)[^/\\\p{C}]+$/u, "must be the plain name of a file"),
    size_bytes: z.int().min(0),
    sha256: z.string().nullable().describe("In hex; null until somebody has computed it."),
  })
  .meta({ id: "ModelFile" });
export type ModelFile = z.infer<typeof modelFileSchema>;

/** A model that a hive has on disk; every fact is read from the GGUF header, never guessed from its name. */
export const hiveModelSchema = z
  .object({
    id: modelIdSchema,
    name: z.string(),
    size_bytes: z.int(),
    quantization: z.string().nullable(),
    architecture: z.string().nullable(),
    parameters: z.number().nullable(),
    context_length: z.int().nullable().describe("What the model was trained for, in tokens."),
    has_chat_template: z.boolean(),
    reference: z.string().nullable().default(null).describe("What it was downloaded or imported as."),
    revision: z.string().nullable().default(null).describe("The hub's commit it was downloaded at."),
    aliases: z.array(modelIdSchema).default([]),
    pinned: z.boolean().default(false),
    removable: z.boolean().default(false).describe("Whether rbee put its files there and may delete them."),
    files: z.array(modelFileSchema).default([]),
    memory: modelMemoryFactsSchema.nullable().default(null).describe("What an estimate of its memory is made from."),
  })
  .meta({ id: "HiveModel" });
export type HiveModel = z.infer<typeof hiveModelSchema>;

/** What a hive found when it looked for an engine. */
export const engineFactSchema = z
  .object({
    engine: engineSchema,
    version: z.string().nullable().describe("In the engine's own words."),
    where: z.string().nullable().describe("The program or the address that was found."),
    backends: z
      .array(backendSchema)
      .nullable()
      .describe("What it can compute with where the machine has it; null for the hive's own backends."),
    spreads: z
      .boolean()
      .optional()
      .describe("Whether it can share a model with other machines, and compute a part of theirs."),
    problem: z.string().nullable().describe("Why it cannot be used on this machine; null when it can."),
  })
  .meta({ id: "EngineFact" });
export type EngineFact = z.infer<typeof engineFactSchema>;

export const capabilitiesSchema = z
  .object({
    hive_id: hiveIdSchema,
    name: z.string(),
    version: z.string(),
    build: z.string().nullable().default(null).describe("Which bundle it runs from; null when from its sources."),
    os: z.string(),
    arch: z.string(),
    cpu: z.object({
      model: z.string().nullable(),
      cores: z.int().nullable().describe("Physical cores."),
      threads: z.int(),
    }),
    ram_total_mb: z.number(),
    memory_limit_mb: z
      .number()
      .optional()
      .describe("Main memory that the workers of this hive may take in all; absent when nobody limited it."),
    worker_slots: z.int().optional().describe("Slots of a worker for which nobody chose a number."),
    parks_conversations: z
      .boolean()
      .optional()
      .describe("Whether its workers keep conversations on disk, encrypted for their users."),
    disk_free_mb: z.number().nullable(),
    backends: z.array(backendSchema).describe("Backends that a worker can really be started with on this machine."),
    devices: z.array(deviceSchema),
    engines: z.array(engineSchema).describe("Those that can be used on this machine now."),
    engine_facts: z.array(engineFactSchema).default([]).describe("Every engine that this hive knows of."),
    models: z.array(hiveModelSchema),
    external_servers: z
      .array(externalServerSchema)
      .optional()
      .describe("Servers that run there and are not rbee's, whose models it passes requests on to."),
    capabilities_rev: z.string(),
  })
  .meta({ id: "Capabilities" });
export type Capabilities = z.infer<typeof capabilitiesSchema>;

export const hiveHealthSchema = z
  .object({
    status: z.literal("alive"),
    version: z.string(),
    api_version: z.literal(apiVersion),
    hive_id: hiveIdSchema,
  })
  .meta({ id: "HiveHealth" });
