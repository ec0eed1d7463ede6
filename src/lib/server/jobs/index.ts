export { createHouseholdJobs, type JobsService } from "./jobs.ts";
export type * from "./types.ts";
