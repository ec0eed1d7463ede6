import * as z from "zod";

export const hiveIdSchema = z
  .string()
  .regex(/^hive:[0-9a-f-]{36}$/u, "must look like hive:<uuid>")
  .describe("Stable id of a hive, made at its first start.");
export const workerIdSchema = z
  .string()
  .regex(/^worker:[0-9a-z-]{1,64}$/u, "must look like worker:<id>")
  .describe("Id of a worker, unique within the household.");
/** Model ids name a folder on disk, so they never hold a path separator or start with a dot. */
export const modelIdSchema = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._:@-]*$/u, "must be letters, digits and . _ : @ - only")
  .describe("Catalogue id of a model.");
export const timestampSchema = z.number().describe("Milliseconds since 1970 (Unix time).");
/** A name that people gave something; shown, never executed. */
export const nameSchema = z.string().trim().min(1, "must not be empty").max(64, "must have at most 64 characters");

export const backendSchema = z.enum(["cpu", "cuda", "metal", "vulkan", "rocm"]).meta({ id: "Backend" });
export type Backend = z.infer<typeof backendSchema>;

export const engineSchema = z.enum(["node-llama-cpp", "llama-server", "external"]).meta({ id: "Engine" });
export type Engine = z.infer<typeof engineSchema>;
/** Engines that hives start workers with. */
export const workerEngineSchema = engineSchema.exclude(["external"]).meta({ id: "WorkerEngine" });
export type WorkerEngine = z.infer<typeof workerEngineSchema>;
/** What a worker runs on when nobody says otherwise; every hive has it. */
export const usualEngine = "node-llama-cpp" satisfies WorkerEngine;

/** The version of the queen–hive protocol. Both sides refuse another one with `hive_version_mismatch`. */
export const apiVersion = "v1";
