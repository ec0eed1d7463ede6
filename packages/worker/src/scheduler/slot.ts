import type { ParkingKey } from "../parking/index.ts";
import type { Generation } from "./generation.ts";
import type { Restoring } from "./restoring.ts";

/** One sequence of the engine and who has it. */
export interface Slot {
  readonly id: number;
  /** The tokens whose state it holds. */
  tokens: number[];
  /** Any growing number; the slot with the smallest was taken longest ago. */
  lastUsed: number;
  generation: Generation | null;
  /** For whom it is kept until the state that they begin with is there. */
  coming: Coming | null;
  /** Whose conversation it holds; null when it is not to be parked. */
  owner: ParkingKey | null;
  /** How many of its first tokens are on disk already. */
  parked: number;
}

/** A request that has a slot, but not yet the state that it begins with. */
export interface Coming {
  readonly generation: Generation;
  /** What it waits for; null when its turn has come. */
  readonly wait: PrefixWait | Restoring | null;
}

/** Until another request has computed the prefix that both share. */
export interface PrefixWait {
  readonly kind: "prefix";
  readonly from: Generation;
  readonly shared: number;
  /** How far the other one was at the last look, and for how many looks already. */
  seen: number;
  looks: number;
}

/** A slot that is taken, with the request that holds it. */
export type Holder = Slot & { generation: Generation };

export const isHeld = (slot: Slot): slot is Holder => slot.generation !== null;

/** Whether nobody has it, or is about to. */
export const isIdle = (slot: Slot): boolean => slot.generation === null && slot.coming === null;

export const emptySlot = (id: number): Slot => ({
  id,
  tokens: [],
  lastUsed: 0,
  generation: null,
  coming: null,
  owner: null,
  parked: 0,
});
