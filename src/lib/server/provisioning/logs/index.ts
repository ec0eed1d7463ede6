export { createLogs } from "./logs.ts";
