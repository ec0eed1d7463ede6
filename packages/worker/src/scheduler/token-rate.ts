/** How long tokens count towards the rate, in milliseconds. */
const windowMs = 1000;

/** Tokens per second over the last second. */
export class TokenRate {
  readonly #steps: { atMs: number; tokens: number }[] = [];
  #sum = 0;

  add(tokens: number, nowMs: number): void {
    this.#steps.push({ atMs: nowMs, tokens });
    this.#sum += tokens;
    this.#forget(nowMs);
  }

  perSecond(nowMs: number): number {
    this.#forget(nowMs);
    return (this.#sum * 1000) / windowMs;
  }

  #forget(nowMs: number): void {
    let old = this.#steps[0];
    while (old !== undefined && old.atMs <= nowMs - windowMs) {
      this.#sum -= old.tokens;
      this.#steps.shift();
      old = this.#steps[0];
    }
  }
}
