export { createBeehives } from "./beehives.ts";
export { createBeehiveStore, type BeehiveRecord, type BeehiveStore } from "./store.ts";
