/** How long a step may take when answers are running, and when only prompts are being read, in milliseconds. */
const limitMs = { besideAnswers: 120, alone: 400 } as const;
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

  /** A step that computed this many prompt tokens took this long. Short steps say little and are ignored. */
  measured(promptTokens: number, ms: number): void {
    if (promptTokens < smallest) return;
    const now = ms / promptTokens;
    this.#msPerToken = this.#msPerToken === null ? now : this.#msPerToken * (1 - weight) + now * weight;
  }

  /** Prompt tokens for the next step; a cautious 128 beside running answers before anything was measured. */
  budget(besideAnswers: boolean): number {
    const limit = besideAnswers ? limitMs.besideAnswers : limitMs.alone;
    const fits = this.#msPerToken === null ? (besideAnswers ? 128 : 256) : limit / this.#msPerToken;
    const power = 2 ** Math.floor(Math.log2(Math.max(fits, smallest)));
    return Math.min(this.#batchSize, power);
  }
}
