export { createAnnouncements, type Announcements } from "./announcements.ts";
export { createNearby, inWords, type Nearby } from "./nearby.ts";
export { probeHive } from "./probe.ts";
