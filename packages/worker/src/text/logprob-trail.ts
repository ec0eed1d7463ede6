import type { Observation } from "../engine/engine.ts";

/** What the model thought of one token of an answer. */
export interface SeenToken {
  readonly token: number;
  readonly observation: Observation;
}

/** Keeps what was seen of an answer's tokens until their text is let out, which may be later or never. */
export class LogprobTrail {
  #waiting: { readonly seen: SeenToken; readonly endsAt: number }[] = [];
  #produced = 0;
  #released = 0;

  /** A token that completed so many characters; `open` when it began one that is not complete. */
  add(seen: SeenToken, characters: number, open: boolean): void {
    this.#produced += characters;
    this.#waiting.push({ seen, endsAt: this.#produced + (open ? 1 : 0) });
  }

  /** So many more characters were let out. */
  release(characters: number): void {
    this.#released += characters;
  }

  /** Nothing is held back any more. */
  releaseAll(): void {
    this.#released = Number.POSITIVE_INFINITY;
  }

  /** The tokens whose whole text is out, each once. */
  take(): SeenToken[] {
    const count = this.#waiting.findIndex(({ endsAt }) => endsAt > this.#released);
    const ready = count === -1 ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === -1 ? [] : this.#waiting.slice(count);
    return ready.map(({ seen }) => seen);
  }
}
