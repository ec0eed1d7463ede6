export type * from "./types.ts";
export { createUsage, type UsageEntry, type UsageService } from "./usage.ts";
