/**
 * How long a first prompt waits for others that come at the same moment, as a share of what it will take, and at most.
 * What comes together is computed together, from the first token to the last.
 */
const gathering = { share: 0.02, mostMs: 5 } as const;
/**
 * How long a step may take for each prompt that waits per running answer, and at most, in milliseconds. What is left of
 * all prompts is computed at once when it takes no longer than `atOnce`.
 */
const limitMs = { perWaiting: 300, atOnce: 500, most: 1000 } as const;

/** Requests that hold a slot. */
export interface Crowd {
  /** Those whose prompt is not computed yet. */
  readonly waiting: number;
  /** Those that are getting tokens. */
  readonly answering: number;
  /** Prompt tokens that all of them still wait for. */
  readonly promptLeft: number;
}

/** What one step computed. */
export interface StepContent {
  readonly promptTokens: number;
  /** Running answers that got their token in it. */
  readonly answers: number;
}

const smallest = 32;
/** Weight of the newest measurement. */
const weight = 0.3;
/** So many times the usual is taken for no more than that. */
const outlier = 2;
/** However long the answers beside it seem to take, so much of a step is the prompt's. */
const leastShare = 0.25;

/**
 * Measures how fast prompts are computed here and says how many prompt tokens fit into a step that nobody notices.
 * A part of what is left is a round number, so that small differences in speed seldom change the shape of the arithmetic.
 */
export class PrefillPace {
  readonly #batchSize: number;
  #msPerToken: number | null = null;
  /** By how many answers a step had, what it took without any prompt. */
  readonly #answersMs = new Map<number, number>();

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
  }

  /** What one prompt token takes, in milliseconds; null before anything was measured. */
  get msPerToken(): number | null {
    return this.#msPerToken;
  }

  /** A step took this long. Next to no prompt says little and is ignored. */
  measured({ promptTokens, answers }: StepContent, ms: number): void {
    if (promptTokens === 0) {
      const known = this.#answersMs.get(answers);
      // Something else on the machine may have held up a step; the next ones tell.
      const now = known === undefined ? ms : Math.min(ms, outlier * known);
      this.#answersMs.set(answers, known === undefined ? now : known * (1 - weight) + now * weight);
      return;
    }
    if (promptTokens < smallest) return;
    // The answers beside a prompt took their part of the step.
    const own = Math.max(ms - this.#answersOf(answers), ms * leastShare);
    const now = own / promptTokens;
    this.#msPerToken = this.#msPerToken === null ? now : this.#msPerToken * (1 - weight) + now * weight;
  }

  /** What a token for each of so many answers takes, by the nearest number that was measured. */
  #answersOf(count: number): number {
    if (count === 0) return 0;
    let [nearest, best] = [0, Number.POSITIVE_INFINITY];
    for (const [known, ms] of this.#answersMs) {
      const distance = Math.abs(known - count);
      if (distance < best) [nearest, best] = [ms, distance];
    }
    return nearest;
  }

  /** How long a prompt that finds nothing running may wait for company, in milliseconds; 0 before anything was measured. */
  gatherMs(promptTokens: number): number {
    return Math.min(gathering.mostMs, gathering.share * promptTokens * (this.#msPerToken ?? 0));
  }

  /**
   * Prompt tokens for the next step. Running answers are held up longer the more requests wait for their first token:
   * prompts that came together are then computed together, and so are their answers, which is what fills the batches.
   * Before anything was measured, a cautious 128 beside running answers.
   */
  budget({ waiting, answering, promptLeft }: Crowd): number {
    const alone = answering === 0;
    const msPerToken = this.#msPerToken;
    if (msPerToken === null) return Math.min(this.#batchSize, alone ? 256 : 128);
    if (promptLeft * msPerToken <= limitMs.atOnce) return Math.min(this.#batchSize, Math.max(promptLeft, smallest));
    const limit = alone ? limitMs.most : Math.min(limitMs.most, limitMs.perWaiting * Math.max(1, waiting / answering));
    return Math.min(this.#batchSize, rounded(limit / msPerToken));
  }
}

/** Down to a power of two or one and a half of it. */
function rounded(tokens: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(tokens, smallest)));
  return tokens >= 1.5 * power ? 1.5 * power : power;
}
