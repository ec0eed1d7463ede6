/** One request that holds a slot, oldest first in a plan's input. */
export interface Candidate {
  readonly slot: number;
  /** Prompt tokens not yet computed; 0 when it is decoding. */
  readonly promptLeft: number;
}

/** One that may wait for others, or be waited for. */
export interface Starter extends Candidate {
  /** Milliseconds since it came. */
  readonly ageMs: number;
  /** Milliseconds since its first token, when it has no other yet; else null. */
  readonly begunMs: number | null;
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
  /** Whether it is the oldest prompt's turn to come first. */
  readonly oldestFirst: boolean;
}

/** Every so many steps with prompts the oldest comes first, so that short ones cannot starve it. */
export const oldestEvery = 4;

/** So long an answer that has just begun waits for others to begin. */
const mostHeldMs = 3000;
/** Prompts of so few tokens are computed along with any step. */
const fewTokens = 32;

/**
 * The slots of answers that have just begun and wait for the prompts of those who came before that, since answers that
 * go on together take little more than one of them. Their first token is out; without waiting the prompts would only
 * take longer. Nobody waits for who came later, nor for what takes longer than an answer may be held; and when somebody
 * is in the middle of an answer, the step has to be made anyway, and nobody waits at all.
 * @param msPerToken what a prompt token takes; null when that is not known.
 */
export function heldBack(starters: readonly Starter[], msPerToken: number | null): ReadonlySet<number> {
  const answers = starters.filter(({ promptLeft }) => promptLeft === 0);
  if (msPerToken === null || answers.some(({ begunMs }) => begunMs === null)) return new Set();
  const held = answers.filter(({ begunMs }) => {
    if (begunMs === null || begunMs >= mostHeldMs) return false;
    const left = starters.reduce((sum, { promptLeft, ageMs }) => sum + (ageMs >= begunMs ? promptLeft : 0), 0);
    return left >= fewTokens && left * msPerToken <= mostHeldMs;
  });
  return new Set(held.map(({ slot }) => slot));
}

/** How many tokens a prompt may stay behind in order to be computed together with others. */
const mostLevelled = 2;

/**
 * Divides one step among the requests. Every decoding request gets its one token; what is left, up to the prefill
 * budget, goes to prompts, the shortest first, which brings the most first tokens soonest.
 *
 * The engine computes together only what is equally long, and each further length costs it another reading of all
 * weights. So as few prompts as possible share a step, and prompts that are almost as long as another (or as the
 * single tokens of running answers) are cut to its length: their last tokens come with the next steps at no such cost.
 */
export function planStep(candidates: readonly Candidate[], limits: StepLimits): Share[] {
  const decoding = candidates.filter(({ promptLeft }) => promptLeft === 0);
  const prompts = candidates.filter(({ promptLeft }) => promptLeft > 0);
  const room = limits.batchSize - decoding.length;
  let left = Math.max(0, Math.min(room, limits.prefillBudget));

  const byLength = prompts.toSorted((one, other) => one.promptLeft - other.promptLeft);
  const oldest = prompts.slice(0, limits.oldestFirst ? 1 : 0);
  const granted = new Map<number, number>();
  for (const { slot, promptLeft } of [...oldest, ...byLength]) {
    if (left === 0 || granted.has(slot)) continue;
    const tokens = Math.min(promptLeft, left);
    granted.set(slot, tokens);
    left -= tokens;
  }
  level(granted, decoding.length > 0 ? 1 : null);

  return candidates.flatMap(({ slot, promptLeft }) => {
    const tokens = promptLeft === 0 ? 1 : (granted.get(slot) ?? 0);
    return tokens === 0 ? [] : [{ slot, tokens }];
  });
}

/** Cuts grants down to the next smaller one where that is near. `smallest` is a length that is computed anyway. */
function level(granted: Map<number, number>, smallest: number | null): void {
  let base = smallest;
  for (const [slot, tokens] of [...granted].sort(([, one], [, other]) => one - other)) {
    if (base === null || tokens - base > mostLevelled) base = tokens;
    else granted.set(slot, base);
  }
}
