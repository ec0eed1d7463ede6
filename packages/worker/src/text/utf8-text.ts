import type { Piece } from "../engine/engine.ts";

/**
 * Turns the bytes of tokens into text as they come. A character whose bytes are spread over several tokens appears
 * whole with its last one; only bytes that never become a character end as U+FFFD.
 */
export class Utf8Text {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #mayBeInside = false;

  /** Whether the last piece may have begun a character that it did not finish. */
  get open(): boolean {
    return this.#mayBeInside;
  }

  /** The text that this piece completes; may be empty. */
  push(piece: Piece): string {
    if (piece.text !== null && !this.#mayBeInside) return piece.text;
    const text = this.#decoder.decode(piece.bytes, { stream: true });
    // A piece of whole characters leaves nothing open, whatever came before it.
    this.#mayBeInside = piece.text === null;
    return text;
  }

  /** What is left at the end of an answer: U+FFFD for a character that was never finished, else nothing. */
  end(): string {
    return this.#decoder.decode();
  }
}
