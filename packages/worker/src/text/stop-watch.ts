/**
 * Looks for stop strings in a growing text. Text is held back only while it could still become a stop string,
 * and no part of a stop string is ever let out.
 */
export class StopWatch {
  readonly #stops: readonly string[];
  #held = "";
  #found: string | null = null;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The stop string that has appeared; nothing is let out after it. */
  get found(): string | null {
    return this.#found;
  }

  /** Adds text and answers what may be shown of all that is held. */
  push(text: string): string {
    if (this.#stops.length === 0) return text;
    if (this.#found !== null || text === "") return "";
    const whole = this.#held + text;
    const first = this.#firstStop(whole);
    if (first !== null) {
      this.#found = first.stop;
      this.#held = "";
      return whole.slice(0, first.at);
    }
    const holdFrom = whole.length - this.#heldLength(whole);
    this.#held = whole.slice(holdFrom);
    return whole.slice(0, holdFrom);
  }

  /** What was held back, when the answer ends without a stop string. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #firstStop(text: string): { stop: string; at: number } | null {
    let first: { stop: string; at: number } | null = null;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at !== -1 && (first === null || at < first.at)) first = { stop, at };
    }
    return first;
  }

  /** Length of the longest end of the text with which some stop string begins. */
  #heldLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
