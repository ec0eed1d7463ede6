import * as z from "zod";
import { errorBodySchema } from "./errors.ts";
import {
  backendSchema,
  hiveIdSchema,
  modelIdSchema,
  nameSchema,
  timestampSchema,
  workerIdSchema,
} from "./identifiers.ts";
import { modelReferenceSchema } from "./model-reference.ts";
import { workerSpawnSchema } from "./workers.ts";
import { installMethodSchema, sshAccessSchema, sshDestinationSchema } from "./machines.ts";

/** A hive by its id, its name, or the name it is registered under. */
const hiveReferenceSchema = z.string().trim().min(1).max(330).describe("Id or name of a hive.");
const onMachine = { hive: hiveReferenceSchema, ssh: sshAccessSchema.optional() };
const installation = {
  target: sshDestinationSchema,
  method: installMethodSchema.default({ bundle: {} }),
  hive_port: z.int().min(1).max(65_535).default(7835),
  ssh: sshAccessSchema.optional(),
};

/** Everything that can take more than a second is a job of one of these kinds. Jobs of `/v2/tasks` are not kept. */
export const jobOperationSchema = z
  .enum([
    "hive_check",
    "hive_install",
    "hive_adopt",
    "hive_uninstall",
    "hive_start",
    "hive_stop",
    "hive_upgrade",
    "hive_rollback",
    "hive_sync",
    "hive_discover",
    "model_download",
    "model_delete",
    "worker_spawn",
    "worker_stop",
    "self_check",
    "task",
  ])
  .meta({ id: "JobOperation" });
export type JobOperation = z.infer<typeof jobOperationSchema>;

/** How a job ended. */
export const jobOutcomeSchema = z.enum(["succeeded", "failed", "cancelled", "timed_out"]).meta({ id: "JobOutcome" });
export type JobOutcome = z.infer<typeof jobOutcomeSchema>;

export const jobStateSchema = z.enum(["running", ...jobOutcomeSchema.options]).meta({ id: "JobState" });
export type JobState = z.infer<typeof jobStateSchema>;

export const narrationLevelSchema = z.enum(["debug", "info", "warn", "error"]);
export type NarrationLevel = z.infer<typeof narrationLevelSchema>;

const numbered = { seq: z.int().min(1).describe("Counts up by one within a job, over all kinds of events.") };

/** One thing that happened, told to a person. */
export const narrationEventSchema = z
  .object({
    type: z.literal("narration"),
    ...numbered,
    ts: timestampSchema,
    job_id: z.string(),
    actor: z.string().describe("Who speaks: `queen`, `hive:gaming-pc`, `worker:…`."),
    action: z.string().describe("What is being done, one word: `preflight`, `copying`, …"),
    level: narrationLevelSchema,
    message: z.string(),
    data: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "NarrationEvent" });

/** How far a phase is. What is not known is null. */
export const progressEventSchema = z
  .object({
    type: z.literal("progress"),
    ...numbered,
    ts: timestampSchema,
    job_id: z.string(),
    actor: z.string(),
    phase: z.string(),
    done: z.number().min(0),
    total: z.number().min(0).nullable(),
    unit: z.enum(["bytes", "items", "percent"]),
    rate: z.number().min(0).nullable().describe("Units per second."),
  })
  .meta({ id: "ProgressEvent" });

/** The one and last event of a job. */
export const resultEventSchema = z
  .object({
    type: z.literal("result"),
    ...numbered,
    ts: timestampSchema,
    job_id: z.string(),
    status: jobOutcomeSchema,
    error: errorBodySchema.shape.error.optional(),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("What the operation gave, for example the outcome of each hive."),
  })
  .meta({ id: "ResultEvent" });

/** An event of a job's stream: `event:` is its `type`, `id:` its `seq`, `data:` the rest as JSON. */
export const jobEventSchema = z
  .discriminatedUnion("type", [narrationEventSchema, progressEventSchema, resultEventSchema])
  .meta({ id: "JobEvent" });
export type JobEvent = z.infer<typeof jobEventSchema>;
export type NarrationEvent = z.infer<typeof narrationEventSchema>;
export type ProgressEvent = z.infer<typeof progressEventSchema>;
export type ResultEvent = z.infer<typeof resultEventSchema>;

export const jobSchema = z
  .object({
    job_id: z.string(),
    operation: jobOperationSchema,
    /** What it is about in a person's words, for example `gaming-pc`. */
    subject: z.string(),
    state: jobStateSchema,
    started_by: z.string().nullable().describe("Name of the person; null when rbee itself started it."),
    created_at: timestampSchema,
    finished_at: timestampSchema.nullable(),
    error: errorBodySchema.shape.error.nullable(),
    result: z.record(z.string(), z.unknown()).nullable(),
    /** What it was started with, secrets left out: what "try again" sends. */
    input: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Job" });
export type Job = z.infer<typeof jobSchema>;

export const jobAcceptedSchema = z.object({ job_id: z.string(), stream_url: z.string() }).meta({ id: "JobAccepted" });

/** What `POST /v1/jobs` starts, with what it needs to know. */
export const jobRequestSchema = z
  .discriminatedUnion("operation", [
    z
      .strictObject({ operation: z.literal("hive_check"), ...installation })
      .describe("Connects to a machine and says what stands in the way of an installation; changes nothing there."),
    z
      .strictObject({
        operation: z.literal("hive_install"),
        ...installation,
        name: nameSchema.optional().describe("Name of the hive; the target's own when left out."),
        auto_start: z.boolean().default(true).describe("Whether the hive starts with the machine."),
      })
      .describe("Makes a machine a hive. Done means: its first heartbeat has arrived."),
    z
      .strictObject({
        operation: z.literal("hive_adopt"),
        target: sshDestinationSchema,
        hive_port: installation.hive_port,
        name: nameSchema.optional(),
        ssh: sshAccessSchema.optional(),
      })
      .describe("Takes over a hive that runs already on a machine that the queen can reach over SSH."),
    z
      .strictObject({
        operation: z.literal("hive_upgrade"),
        ...onMachine,
        method: installMethodSchema.optional().describe("The one it was installed by when left out."),
      })
      .describe("Brings the queen's own version to a hive; the former one is kept for a rollback."),
    z
      .strictObject({ operation: z.literal("hive_rollback"), ...onMachine })
      .describe("Goes back to the version before the last upgrade."),
    z
      .strictObject({
        operation: z.literal("hive_uninstall"),
        ...onMachine,
        remove_models: z.boolean().default(false).describe("Whether the models on that machine go too."),
      })
      .describe("Removes from a machine what the installation put there."),
    z.strictObject({ operation: z.literal("hive_start"), ...onMachine }).describe("Starts the hive of a machine."),
    z
      .strictObject({ operation: z.literal("hive_stop"), ...onMachine })
      .describe("Stops the hive of a machine, and its workers with it."),
    z
      .strictObject({
        operation: z.literal("hive_sync"),
        dry_run: z.boolean().default(false).describe("Only says what would be done."),
        only: z.array(z.string().max(330)).max(200).optional().describe("Aliases; all of hives.conf when left out."),
        ssh: sshAccessSchema.optional(),
      })
      .describe("Makes the machines what hives.conf says, all at once."),
    z.strictObject({ operation: z.literal("hive_discover") }).describe("Asks every enrolled hive what it can do."),
    z
      .strictObject({
        operation: z.literal("model_download"),
        model: modelReferenceSchema,
        hive: hiveReferenceSchema.optional().describe("Id or name of a hive; rbee chooses when it is left out."),
        id: modelIdSchema.optional().describe("Id in the catalogue; made from the file's name when left out."),
      })
      .describe("Brings a model to a hive: from another hive that has it, from the hub, or from where the file lies."),
    z
      .strictObject({
        operation: z.literal("model_delete"),
        model: modelReferenceSchema,
        hive: hiveReferenceSchema
          .optional()
          .describe("Id or name of a hive; when left out, every hive where rbee downloaded the model."),
        force: z.boolean().default(false).describe("Also when it is pinned or a worker runs it; that one is stopped."),
      })
      .describe("Deletes a model that was downloaded; one that was imported is only forgotten."),
    z
      .strictObject({
        operation: z.literal("worker_spawn"),
        model: modelIdSchema,
        hive_id: hiveIdSchema.optional().describe("Where; rbee chooses when it is left out."),
        backend: backendSchema.optional(),
        device: z.string().max(64).optional().describe("Device id from /capabilities, for example `cuda:0`."),
        slots: workerSpawnSchema.shape.slots,
        context_length: workerSpawnSchema.shape.context_length,
      })
      .describe("Starts a worker and waits until its model is loaded."),
    z
      .strictObject({ operation: z.literal("worker_stop"), hive_id: hiveIdSchema, worker_id: workerIdSchema })
      .describe("Lets a worker finish its answers, then stops it."),
    z.strictObject({ operation: z.literal("self_check") }).describe("Checks that the household works."),
  ])
  .meta({ id: "JobRequest" });
export type JobRequest = z.output<typeof jobRequestSchema>;

export const jobsQuerySchema = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(100) });
