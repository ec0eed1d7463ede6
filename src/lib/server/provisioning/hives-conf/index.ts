export { type HivesConfEntry } from "./entry.ts";
export { parseHivesConf, type Mistake } from "./parse.ts";
export { readHivesConf, type HivesConf } from "./read.ts";
