/**
 * How long a first prompt waits for others that come at the same moment, as a share of what it will take, and at most.
 * What comes together is computed together, from the first token to the last.
 */
const gathering = { share: 0.02, mostMs: 5 } as const;
/** How long a step may take for each prompt that waits per running answer, and at most, in milliseconds. */
const limitMs = { perWaiting: 120, most: 1000 } as const;

/** Requests that hold a slot. */
export interface Crowd {
  /** Those whose prompt is not computed yet. */
  readonly waiting: number;
  /** Those that are getting tokens. */
  readonly answering: number;
}
const smallest = 32;
/** Weight of the newest measurement. */
const weight = 0.3;

/**
 * Measures how fast prompts are computed here and says how many prompt tokens fit into a step that nobody notices.
 * The answer is a power of two, so that small differences in speed do not change the shape of the arithmetic.
 */
export class PrefillPace {
  readonly #batchSize: number;
  #msPerToken: number | null = null;

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
  }

  /** What one prompt token takes, in milliseconds; null before anything was measured. */
  get msPerToken(): number | null {
    return this.#msPerToken;
  }

  /** A step that computed this many prompt tokens took this long. Short steps say little and are ignored. */
  measured(promptTokens: number, ms: number): void {
    if (promptTokens < smallest) return;
    const now = ms / promptTokens;
    this.#msPerToken = this.#msPerToken === null ? now : this.#msPerToken * (1 - weight) + now * weight;
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
  budget({ waiting, answering }: Crowd): number {
    const alone = answering === 0;
    const limit = alone ? limitMs.most : Math.min(limitMs.most, limitMs.perWaiting * Math.max(1, waiting / answering));
    const fits = this.#msPerToken === null ? (alone ? 256 : 128) : limit / this.#msPerToken;
    const power = 2 ** Math.floor(Math.log2(Math.max(fits, smallest)));
    return Math.min(this.#batchSize, power);
  }
}
