export { createHub, type Hub, type ModelNeeds } from "./hub.ts";
