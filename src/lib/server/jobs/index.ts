export { createHouseholdJobs, type JobsService } from "./jobs.ts";
export { isCalled, isUp } from "./operations/household-models.ts";
export { memoryOf } from "./operations/model-destination.ts";
export type * from "./types.ts";
