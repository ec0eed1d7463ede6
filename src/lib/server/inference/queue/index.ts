export { lanes, type Lane } from "./fair-queue.ts";
export { createWaitingRoom, type QueueEntry, type Seat, type SeatRequest, type WaitingRoom } from "./waiting-room.ts";
