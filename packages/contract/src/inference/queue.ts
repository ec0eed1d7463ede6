import { z } from "zod";
import { modelIdSchema } from "../identifiers.ts";

export const laneSchema = z.enum(["interactive", "batch"]).meta({ id: "Lane" });
export type Lane = z.infer<typeof laneSchema>;

/** A request that waits for a free slot. */
export const queueEntrySchema = z
  .object({
    model: modelIdSchema,
    lane: laneSchema,
    position: z.int().min(1).describe("1 is answered next."),
    waiting_s: z.number().min(0),
    mine: z.boolean(),
    user: z.string().nullable().describe("Whose it is; null for a member who looks at somebody else's."),
  })
  .meta({ id: "QueueEntry" });
export type QueueEntry = z.infer<typeof queueEntrySchema>;
