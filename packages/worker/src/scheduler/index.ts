export type { Ending, Generation, GenerationRequest, Guide, Listener, Progress, TextOrigin } from "./generation.ts";
export { Scheduler, type Load, type SchedulerOptions } from "./scheduler.ts";
