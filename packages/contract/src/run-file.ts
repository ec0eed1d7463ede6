import * as z from "zod";
import { timestampSchema } from "./identifiers.ts";

/** What `queen.json` in the queen's data folder tells programs on her machine while she runs. */
export const runFileSchema = z.object({
  pid: z.int(),
  port: z.int(),
  /** The address she listens on. */
  host: z.string(),
  started_at: timestampSchema,
});
export type RunFile = z.infer<typeof runFileSchema>;
