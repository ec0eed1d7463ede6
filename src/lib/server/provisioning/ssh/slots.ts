/** A number of places that are taken and given back, first come first served. */
export class Slots {
  #limit: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Waits for a place. The function it gives back frees the place; calling it again does nothing. */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#taken >= this.#limit || this.#waiting.length > 0) await this.#wait(signal);
    else this.#taken += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= 1;
      this.#admit();
    };
  }

  /** Lowers the number of places for good, to what turned out to be possible; never under one. */
  lowerTo(limit: number): void {
    this.#limit = Math.max(1, Math.min(this.#limit, limit));
  }

  #admit(): void {
    while (this.#taken < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next();
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const turn = Promise.withResolvers<undefined>();
    const admitted = () => turn.resolve(undefined);
    const left = () => {
      const place = this.#waiting.indexOf(admitted);
      if (place === -1) return;
      this.#waiting.splice(place, 1);
      turn.reject(signal?.reason);
    };
    this.#waiting.push(admitted);
    signal?.addEventListener("abort", left, { once: true });
    try {
      await turn.promise;
    } finally {
      signal?.removeEventListener("abort", left);
    }
  }
}
