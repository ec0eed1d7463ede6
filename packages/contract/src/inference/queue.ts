import * as z from "zod";
import { modelIdSchema } from "../identifiers.ts";

export const laneSchema = z.enum(["interactive", "batch"]).meta({ id: "Lane" });
export type Lane = z.infer<typeof laneSchema>;

const whose = {
  request_id: z.string().nullable().describe("To cancel it by; null when it is not yours to cancel."),
  model: modelIdSchema,
  lane: laneSchema,
  mine: z.boolean(),
  user: z.string().nullable().describe("Whose it is; null for a member who looks at somebody else's."),
};

/** A request that waits for its answer to begin. */
export const queueEntrySchema = z
  .object({
    ...whose,
    waits_for: z
      .enum(["slot", "model"])
      .default("slot")
      .describe("`slot`: every worker of the model is busy. `model`: it is being loaded."),
    position: z.int().min(1).describe("Among those that wait for the same model; 1 is answered next."),
    waiting_s: z.number().min(0),
  })
  .meta({ id: "QueueEntry" });
export type QueueEntry = z.infer<typeof queueEntrySchema>;

/** A request that is being answered. */
export const runningRequestSchema = z
  .object({
    ...whose,
    hive: z.string().nullable().describe("Name of the hive that answers."),
    running_s: z.number().min(0),
  })
  .meta({ id: "RunningRequest" });
export type RunningRequest = z.infer<typeof runningRequestSchema>;

/** Who waits, in the order of their turn, and what is being answered. */
export const queueSchema = z
  .object({ data: z.array(queueEntrySchema), running: z.array(runningRequestSchema) })
  .meta({ id: "Queue" });
export type Queue = z.infer<typeof queueSchema>;
