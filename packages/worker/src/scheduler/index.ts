export type { Ending, Generation, GenerationRequest, Listener, Progress } from "./generation.ts";
export { Scheduler, type Load, type SchedulerOptions } from "./scheduler.ts";
