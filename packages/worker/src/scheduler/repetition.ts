/** How many tokens must stand as they stood before, for what followed them then to be a guess worth making. */
const sameTokens = 3;

/**
 * Guesses how a text goes on from the text itself: where its last tokens stood before, what followed them then may
 * follow again (prompt lookup decoding). Code, quotations and lists repeat themselves; stories seldom do.
 */
export class Repetition {
  readonly #tokens: number[] = [];
  /** By the hash of so many neighbouring tokens, where they last stood: the place after them. */
  readonly #places = new Map<number, number>();

  constructor(tokens: readonly number[]) {
    for (const token of tokens) this.push(token);
  }

  push(token: number): void {
    // The place of the last tokens is noted when one follows them, so that they never find themselves.
    if (this.#tokens.length >= sameTokens) this.#places.set(this.#hashAt(this.#tokens.length), this.#tokens.length);
    this.#tokens.push(token);
  }

  /** The next `length` tokens as they followed before; none when the last ones have not stood before. */
  guess(length: number): number[] {
    const end = this.#tokens.length;
    if (end < sameTokens) return [];
    const place = this.#places.get(this.#hashAt(end));
    if (place === undefined || !this.#sameBefore(place, end)) return [];
    const guess: number[] = [];
    // A text that ends in a repetition goes on in it: past its end the guess follows itself.
    for (let at = place; guess.length < length; at++) guess.push(this.#tokens[at] ?? guess[at - end] ?? 0);
    return guess;
  }

  #hashAt(end: number): number {
    let hash = 0;
    for (let at = end - sameTokens; at < end; at++) hash = (Math.imul(hash, 0x9e3779b1) + (this.#tokens[at] ?? 0)) | 0;
    return hash;
  }

  /** Two places may share a hash and not their tokens. */
  #sameBefore(place: number, end: number): boolean {
    for (let back = 1; back <= sameTokens; back++)
      if (this.#tokens[place - back] !== this.#tokens[end - back]) return false;
    return true;
  }
}
