import { commonPrefix } from "./slot-choice.ts";

/** Fewer tokens are computed along with the next step anyway. */
const leastSpared = 32;
/** A copy holds up everybody, a prompt is computed beside the others: it must spare a good deal more than it costs. */
const margin = 2;

/** What is known of the speed here; null before it was measured. */
export interface Speeds {
  readonly prefillMsPerToken: number | null;
  /** For bringing a state of so many tokens into a slot. */
  bringMs(tokens: number): number | null;
}

/**
 * Whether it is quicker to bring a state of `moved` tokens than to compute `spared` of them. What was never measured is
 * tried once.
 */
export function pays(spared: number, moved: number, { prefillMsPerToken, bringMs }: Speeds): boolean {
  if (spared < leastSpared) return false;
  const cost = bringMs(moved);
  return cost === null || prefillMsPerToken === null || spared * prefillMsPerToken > margin * cost;
}

/** How much of a prompt a state can spare: its last token is always computed, since that gives the first new one. */
export const sparedOf = (state: readonly number[], prompt: readonly number[]): number =>
  Math.min(commonPrefix(state, prompt), Math.max(0, prompt.length - 1));

/** A slot whose state could be copied. */
export interface State {
  readonly id: number;
  readonly tokens: readonly number[];
}

export interface Source {
  readonly slot: number;
  /** Tokens of the prompt that it covers. */
  readonly shared: number;
}

/** The slot to copy from, for a slot that covers `own` tokens by itself; null when that does not pay. */
export function bestSource(
  states: readonly State[],
  prompt: readonly number[],
  own: number,
  speeds: Speeds,
  canCut: (slot: number, length: number) => boolean,
): Source | null {
  let best: (Source & { moved: number }) | null = null;
  for (const { id, tokens } of states) {
    const shared = sparedOf(tokens, prompt);
    if (!pays(shared - own, tokens.length, speeds)) continue;
    // Of those that cover the same, the shorter one is copied faster.
    const better = best === null || shared > best.shared || (shared === best.shared && tokens.length < best.moved);
    if (better && canCut(id, shared)) best = { slot: id, shared, moved: tokens.length };
  }
  return best === null ? null : { slot: best.slot, shared: best.shared };
}

/** A prompt that is being computed, or is about to be. */
export interface Computing<T> {
  readonly of: T;
  readonly prompt: readonly number[];
  /** Tokens of it that are there already. */
  readonly done: number;
  /** Whether it is computed now. */
  readonly running: boolean;
}

/**
 * Whose prompt is worth waiting for, when `available` tokens could be had at once; null when nobody's is. Those that
 * are computed already come before those that wait themselves.
 */
export function worthWaitingFor<T>(
  others: readonly Computing<T>[],
  prompt: readonly number[],
  available: number,
  speeds: Speeds,
): { readonly from: T; readonly shared: number; readonly done: number } | null {
  let best: (Computing<T> & { shared: number }) | null = null;
  for (const other of others) {
    const shared = sparedOf(other.prompt, prompt);
    if (shared <= other.done || !pays(shared - available, shared, speeds)) continue;
    const ahead = best === null ? leastSpared : shared - best.shared;
    const sooner = best !== null && other.running && !best.running && -ahead < leastSpared;
    if (ahead >= leastSpared || sooner) best = { ...other, shared };
  }
  return best === null ? null : { from: best.of, shared: best.shared, done: best.done };
}
