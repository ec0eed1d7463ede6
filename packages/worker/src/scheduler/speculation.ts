import { Repetition } from "./repetition.ts";

/** `auto` guesses where it was measured to pay; `always` wherever there is a guess, which tests and measurements want. */
export type SpeculationMode = "auto" | "always" | "off";

/** Together with the token that is certain they make four and eight, which the matrix kernels like best. */
const lengths = [3, 7] as const;
/** Weight of the newest measurement. */
const weight = 0.2;
/** What a guessed token is worth before any was tried, and what it slowly comes back to while none is. */
const firstHope = 0.6;
const recovery = 0.01;
/** How much of a step each guessed token costs on top, before that was measured. */
const firstCost = 0.15;
/** A guess must promise this much more than going on without. */
const margin = 1.05;
/** So often a length that was found too dear is measured again: other work may have been to blame. */
const againEvery = 64;
/** And so often one that could not pay if every guess were right. */
const hopelessAgainEvery = 1024;

/**
 * What guessing costs on this machine with this model: a step with one token, and steps with a guess beside it.
 * Where a step's time goes into reading the weights, guesses are almost free; where it goes into arithmetic they are not.
 */
export class GuessCost {
  #aloneMs: number | null = null;
  readonly #withMs = new Map<number, number>();
  #asked = 0;

  /** A step of one answer, with so many guessed tokens beside the certain one, took this long. */
  measured(guessed: number, ms: number): void {
    const known = guessed === 0 ? this.#aloneMs : (this.#withMs.get(guessed) ?? null);
    const now = known === null ? ms : known * (1 - weight) + ms * weight;
    if (guessed === 0) this.#aloneMs = now;
    else this.#withMs.set(guessed, now);
  }

  /** A step with a guess of this length, in steps without one. */
  ratio(length: number): number {
    const ms = this.#withMs.get(length);
    if (ms === undefined || this.#aloneMs === null || this.#aloneMs === 0) return 1 + firstCost * length;
    return ms / this.#aloneMs;
  }

  /** The length that promises most when each guessed token is right with this chance; 0 when none pays. */
  bestLength(chance: number): number {
    // Without a step alone to compare with, nothing can pay.
    if (this.#aloneMs === null) return 0;
    let best = 0;
    let most = margin;
    let expected = 1;
    let power = 1;
    let reached = 0;
    for (const length of lengths) {
      for (; reached < length; reached++) expected += power *= chance;
      const gain = expected / this.ratio(length);
      if (gain > most) [best, most] = [length, gain];
    }
    if (best !== 0 || chance < firstHope) return best;
    const [shortest] = lengths;
    const every = this.ratio(shortest) > shortest + 1 ? hopelessAgainEvery : againEvery;
    return ++this.#asked % every === 0 ? shortest : 0;
  }
}

/** The guesses of one answer, and how good they are. */
export class Speculation {
  readonly #mode: SpeculationMode;
  readonly #cost: GuessCost;
  readonly #text: Repetition;
  #chance = firstHope;
  #guessed = 0;
  #right = 0;

  constructor(mode: SpeculationMode, cost: GuessCost, prompt: readonly number[]) {
    this.#mode = mode;
    this.#cost = cost;
    this.#text = new Repetition(prompt);
  }

  /** How many tokens were guessed so far, and how many of them were right. */
  get tally(): { readonly guessed: number; readonly right: number } {
    return { guessed: this.#guessed, right: this.#right };
  }

  push(token: number): void {
    this.#text.push(token);
  }

  /** Tokens that may come next, `room` at most; none when that would not pay. */
  guess(room: number): readonly number[] {
    const wanted = this.#mode === "always" ? lengths[1] : this.#cost.bestLength(this.#chance);
    const length = lengths.findLast((each) => each <= Math.min(wanted, room));
    if (length === undefined) {
      this.#chance += (firstHope - this.#chance) * recovery;
      return [];
    }
    return this.#text.guess(length);
  }

  /** Of a guess so many were right; the first wrong one ends what is known of the rest. */
  learned(guessed: number, right: number): void {
    this.#guessed += guessed;
    this.#right += right;
    const tried = Math.min(guessed, right + 1);
    for (let n = 0; n < tried; n++) this.#chance += ((n < right ? 1 : 0) - this.#chance) * weight;
  }
}
