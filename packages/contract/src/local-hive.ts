import * as z from "zod";
import { errorBodySchema } from "./errors.ts";
import { workerIdSchema } from "./identifiers.ts";

/**
 * What the hive of the queen's own machine tells her over the process channel. The two share a user and a file system,
 * so the queen can speak to its workers without it.
 */
export const localHiveMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("listening"), port: z.int() }),
  /** A worker takes requests at this Unix socket, or named pipe on Windows. */
  z.object({ type: z.literal("worker_serves"), worker_id: workerIdSchema, socket_path: z.string() }),
  /** It takes no more; `error` is why answers that are cut off from now on were, null when nobody knows. */
  z.object({
    type: z.literal("worker_left"),
    worker_id: workerIdSchema,
    error: errorBodySchema.shape.error.nullable(),
  }),
]);
export type LocalHiveMessage = z.infer<typeof localHiveMessageSchema>;
