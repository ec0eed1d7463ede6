export { Reply, type ReplyFlow, type ReplySink } from "./reply.ts";
export { createInference, type InferenceService } from "./inference.ts";
export type { SpawnChoice } from "./spawning.ts";
export type { Where, WorkerView } from "./placement.ts";
export type * from "./types.ts";
export { createDialects, type Dialects } from "./dialects/dialects.ts";
export { errorTypeOf } from "./dialects/anthropic/index.ts";
