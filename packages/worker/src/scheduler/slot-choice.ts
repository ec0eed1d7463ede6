/** What the choice of a slot depends on. */
export interface IdleSlot {
  readonly id: number;
  /** The tokens whose state it still holds. */
  readonly tokens: readonly number[];
  /** Any growing number; the slot with the smallest was used longest ago. */
  readonly lastUsed: number;
}

export interface SlotChoice {
  readonly slot: number;
  /** How many tokens of the prompt its state already covers. */
  readonly reused: number;
}

/** How many tokens two sequences share from the beginning. */
export function commonPrefix(one: readonly number[], other: readonly number[]): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length++;
  return length;
}

/**
 * The idle slot that covers most of the prompt; among equals the one whose state is the smallest loss, then the one
 * used longest ago. The last token of the prompt is never reused, since its computation gives the first new token.
 * Answers null when no slot is idle.
 */
export function chooseSlot(idle: readonly IdleSlot[], prompt: readonly number[]): SlotChoice | null {
  let best: { slot: IdleSlot; reused: number } | null = null;
  for (const slot of idle) {
    const reused = Math.min(commonPrefix(slot.tokens, prompt), Math.max(0, prompt.length - 1));
    if (best === null || better({ slot, reused }, best)) best = { slot, reused };
  }
  return best === null ? null : { slot: best.slot.id, reused: best.reused };
}

interface Candidate {
  slot: IdleSlot;
  reused: number;
}

function better(one: Candidate, other: Candidate): boolean {
  if (one.reused !== other.reused) return one.reused > other.reused;
  const empty = (candidate: Candidate) => candidate.slot.tokens.length === 0;
  if (empty(one) !== empty(other)) return empty(one);
  return one.slot.lastUsed < other.slot.lastUsed;
}
