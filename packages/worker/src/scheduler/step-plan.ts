/** One request that holds a slot, oldest first in a plan's input. */
export interface Candidate {
  readonly slot: number;
  /** Prompt tokens not yet computed; 0 when it is decoding. */
  readonly promptLeft: number;
}

export interface Share {
  readonly slot: number;
  readonly tokens: number;
}

export interface StepLimits {
  /** Most tokens in one step. */
  readonly batchSize: number;
  /** Most prompt tokens in one step, so that running answers and newcomers do not wait for a long prompt. */
  readonly prefillBudget: number;
}

/** The share of the prefill budget that the oldest prompt always gets, so that short ones cannot starve it. */
const oldestShare = 0.25;

/**
 * Divides one step among the requests. Every decoding request gets its one token; what is left, up to the prefill
 * budget, goes to prompts: a quarter to the oldest, the rest to the shortest first, which brings the most first
 * tokens soonest.
 */
export function planStep(candidates: readonly Candidate[], limits: StepLimits): Share[] {
  const decoding = candidates.filter(({ promptLeft }) => promptLeft === 0);
  const prompts = candidates.filter(({ promptLeft }) => promptLeft > 0);
  const room = limits.batchSize - decoding.length;
  const budget = Math.max(0, Math.min(room, limits.prefillBudget));

  const granted = new Map<number, number>();
  const grant = (candidate: Candidate, most: number) => {
    const has = granted.get(candidate.slot) ?? 0;
    const more = Math.min(candidate.promptLeft - has, most);
    if (more > 0) granted.set(candidate.slot, has + more);
    return Math.max(0, more);
  };
  let left = budget;
  const oldest = prompts[0];
  if (oldest !== undefined) left -= grant(oldest, Math.min(left, Math.ceil(budget * oldestShare)));
  for (const prompt of prompts.toSorted((one, other) => one.promptLeft - other.promptLeft)) left -= grant(prompt, left);

  return candidates.flatMap(({ slot, promptLeft }) => {
    const tokens = promptLeft === 0 ? 1 : (granted.get(slot) ?? 0);
    return tokens === 0 ? [] : [{ slot, tokens }];
  });
}
