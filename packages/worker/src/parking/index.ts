export { bindingOf } from "./binding.ts";
export { leastParked, Parking, type ParkedMatch, type ParkingLog } from "./parking.ts";
export { ParkingKey } from "./parking-key.ts";
export { Scratch, type ScratchFile } from "./scratch.ts";
