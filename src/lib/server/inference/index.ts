export { createInference, type InferenceService } from "./inference.ts";
export type * from "./types.ts";
