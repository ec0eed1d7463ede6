export { createApp } from "./api/app.ts";
export { loadConfig, type HiveConfig } from "./config.ts";
export { Hive } from "./hive.ts";
