export { createHives, type HivesService } from "./hives.ts";
export { externalModels, fleetModels, hiveModels, liveWorkers, type NamesOf } from "./fleet.ts";
export { heartbeatListener } from "./heartbeat-listener.ts";
export type { ExpectedHive, HiveState } from "./registry.ts";
export { urlBetween } from "./reach.ts";
export type { HiveConnection } from "./contact.ts";
export type { LocalWorkers } from "./local-workers.ts";
export type * from "./types.ts";
