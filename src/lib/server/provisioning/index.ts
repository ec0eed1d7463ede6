export { inWords } from "./nearby/index.ts";
export { createProvisioning, type Provisioning } from "./provisioning.ts";
export * from "./ssh/index.ts";
export type * from "./types.ts";
