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

interface Candidate {
  readonly slot: IdleSlot;
  readonly reused: number;
  /** Whether half of the prompt, or of what the slot holds, is shared; less is often only a template's first words. */
  readonly known: boolean;
  /** How many groups of neighbouring busy slots there will be. */
  readonly groups: number;
}

/**
 * The idle slot that covers most of the prompt, when one covers a good part of it. Otherwise an empty one; then one
 * next to busy slots, because the engine computes neighbours together and each gap between them costs it another
 * reading of all weights; then the one used longest ago. The last token of the prompt is never reused, since its
 * computation gives the first new token. Answers null when no slot is idle.
 */
export function chooseSlot(
  idle: readonly IdleSlot[],
  prompt: readonly number[],
  busy: readonly number[] = [],
): SlotChoice | null {
  let best: Candidate | null = null;
  for (const slot of idle) {
    const reused = Math.min(commonPrefix(slot.tokens, prompt), Math.max(0, prompt.length - 1));
    const candidate = {
      slot,
      reused,
      known: reused > 0 && 2 * reused >= Math.min(slot.tokens.length, prompt.length),
      groups: groupsOf([...busy, slot.id]),
    };
    if (best === null || better(candidate, best)) best = candidate;
  }
  return best === null ? null : { slot: best.slot.id, reused: best.reused };
}

function groupsOf(ids: readonly number[]): number {
  const all = new Set(ids);
  return ids.filter((id) => !all.has(id - 1)).length;
}

function better(one: Candidate, other: Candidate): boolean {
  const covered = ({ known, reused }: Candidate) => (known ? reused : 0);
  if (covered(one) !== covered(other)) return covered(one) > covered(other);
  const empty = (candidate: Candidate) => candidate.slot.tokens.length === 0;
  if (empty(one) !== empty(other)) return empty(one);
  if (one.groups !== other.groups) return one.groups < other.groups;
  return one.slot.lastUsed < other.slot.lastUsed;
}
