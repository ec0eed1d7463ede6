export { sync, type SyncParts } from "./sync.ts";
