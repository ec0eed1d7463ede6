export type {
  Ending,
  Generation,
  GenerationRequest,
  Guide,
  Listener,
  Progress,
  PromptTokens,
  TextOrigin,
} from "./generation.ts";
export { Scheduler, type Load, type SchedulerOptions } from "./scheduler.ts";
