export { narrateOutsideJobsTo } from "./background.ts";
export { systemClock, type Clock } from "./clock.ts";
export {
  bindToJob,
  currentJobId,
  currentSignal,
  secrets,
  spawnChild,
  type ItemOutcome,
  type Progress,
} from "./context.ts";
export { observable, type EventLog, type EventStore } from "./event-log.ts";
export { readJobEvents, type EventReaderOptions } from "./event-reader.ts";
export { encodeEvent, eventStreamHeaders, lastEventId } from "./event-stream.ts";
export { followJobEvents, type FollowOptions } from "./follow.ts";
export { timeLimitError } from "./failure.ts";
export { failInterrupted } from "./interrupted.ts";
export type { JobEnd, JobStore } from "./job-store.ts";
export { createMemoryLog, type MemoryLog } from "./memory-log.ts";
export { createMemoryStore } from "./memory-store.ts";
export { narrate, progress, type Narration } from "./narration.ts";
export { inParallel, type ParallelOptions } from "./parallel.ts";
export { silentLog, type ProcessLog } from "./process-log.ts";
export { processSecrets, Redactor } from "./redaction.ts";
export { relay, type RelayOptions } from "./relay.ts";
export {
  createJobs,
  createMemoryJobs,
  type JobRequest,
  type Jobs,
  type JobsOptions,
  type StartedJob,
} from "./runner.ts";
export { cleanUp, step, type StepOptions } from "./step.ts";
