export { aliveFunction } from "./alive.ts";
export { readStopEnd, stopScript, type StopEnd } from "./process.ts";
export { drainS, killAfterS, serviceFor, type HiveService } from "./service.ts";
