import * as z from "zod";
import { hiveIdSchema } from "./identifiers.ts";

/** The service type of hives in multicast DNS: `_rbee-hive._tcp.local`. */
export const hiveServiceType = "rbee-hive";

/** What a hive tells of itself to the local network: nothing secret, and nothing to be trusted. */
export const announcementSchema = z.object({
  hive_id: hiveIdSchema,
  version: z.string().min(1).max(64),
  api_version: z.string().min(1).max(16),
});
export type HiveAnnouncement = z.infer<typeof announcementSchema>;
