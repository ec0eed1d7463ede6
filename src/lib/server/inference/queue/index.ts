export { createWaitingRoom, type Seat, type SeatRequest, type Waiter, type WaitingRoom } from "./waiting-room.ts";
