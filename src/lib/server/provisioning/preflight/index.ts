export { checkMachine, lookAt, type Checked } from "./check.ts";
export { hasCuda, platformOf } from "./evaluate.ts";
export type { Facts } from "./facts.ts";
