export * from "./ssh/index.ts";
export type * from "./types.ts";
