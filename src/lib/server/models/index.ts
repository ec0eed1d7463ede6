export { createModels, modelNotFound } from "./models.ts";
export type { ModelDecisions } from "./store.ts";
export type * from "./types.ts";
