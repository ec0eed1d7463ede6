export interface Found {
  /** What may be let out. */
  readonly before: string;
  readonly marker: string;
  /** What came after the marker. */
  readonly after: string;
}

/** Looks for the first of some markers in a growing text. Only what could still become one is held back. */
export class MarkerSearch {
  readonly #markers: readonly string[];
  #held = "";

  constructor(markers: readonly string[]) {
    this.#markers = markers;
  }

  /** Whether it holds text back. */
  get holding(): boolean {
    return this.#held !== "";
  }

  /** Adds text. Answers what may be let out, or the first marker with what is on both sides of it. */
  push(text: string): string | Found {
    const whole = this.#held + text;
    let first: Found | null = null;
    for (const marker of this.#markers) {
      const at = whole.indexOf(marker);
      if (at === -1 || (first !== null && at >= first.before.length)) continue;
      first = { before: whole.slice(0, at), marker, after: whole.slice(at + marker.length) };
    }
    if (first !== null) {
      this.#held = "";
      return first;
    }
    const hold = this.#heldLength(whole);
    this.#held = whole.slice(whole.length - hold);
    return whole.slice(0, whole.length - hold);
  }

  /** What was held back, when no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #heldLength(text: string): number {
    let longest = 0;
    for (const marker of this.#markers)
      for (let length = Math.min(marker.length - 1, text.length); length > longest; length--)
        if (text.endsWith(marker.slice(0, length))) longest = length;
    return longest;
  }
}

/** Whether a text begins with one of some markers, white space before it aside; undecided while it still could. */
export function beginsWith(text: string, markers: readonly string[]): Found | "no" | "undecided" {
  const trimmed = text.trimStart();
  for (const marker of markers)
    if (trimmed.startsWith(marker))
      return { before: text.slice(0, text.length - trimmed.length), marker, after: trimmed.slice(marker.length) };
  return markers.some((marker) => marker.startsWith(trimmed)) ? "undecided" : "no";
}
