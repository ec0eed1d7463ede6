/** Weight of the newest measurement. */
const weight = 0.3;

/** Measures what one kind of work on a saved state takes for each of its tokens. */
export class CopyPace {
  #msPerToken: number | null = null;

  measured(tokens: number, ms: number): void {
    if (tokens === 0) return;
    const now = ms / tokens;
    this.#msPerToken = this.#msPerToken === null ? now : this.#msPerToken * (1 - weight) + now * weight;
  }

  /** Milliseconds for so many tokens; null before anything was measured. */
  for(tokens: number): number | null {
    return this.#msPerToken === null ? null : this.#msPerToken * tokens;
  }
}
