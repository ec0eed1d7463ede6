/** Part of a rendered prompt. A literal part came from a person and must not become a control token. */
export interface PromptPart {
  readonly text: string;
  readonly literal: boolean;
}

/** Contents that can be rendered without their control-token texts, and the way back. */
export interface Guarded {
  readonly contents: readonly string[];
  /** Splits the rendered prompt where something was hidden. */
  reveal(rendered: string): PromptPart[];
}

const escapeForRegExp = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");

const firstPrivate = 0xe000;
const lastPrivate = 0xf8ff;

/** Two characters of Unicode's private area that none of the texts has. */
function unusedPair(texts: readonly string[]): [string, string] | null {
  const free: string[] = [];
  for (let code = firstPrivate; code <= lastPrivate; code++) {
    const character = String.fromCharCode(code);
    if (texts.some((text) => text.includes(character))) continue;
    free.push(character);
    const [open, close] = free;
    if (open !== undefined && close !== undefined) return [open, close];
  }
  return null;
}

/**
 * Hides the texts of control tokens in what people wrote, so that nobody can end their own turn and speak as somebody
 * else. Each one is replaced by a short private-use sequence that survives what templates do to contents (trimming,
 * splitting, joining), and comes back as a literal part once the template's own markers have been told apart. The
 * beginning of a marker at the end of a content is hidden as well, because a template might join it to the next one.
 * Only affected prompts are split; all others are tokenized in one go, exactly as llama.cpp does it.
 */
export class MarkerGuard {
  readonly #markers: readonly string[];
  readonly #anyMarker: RegExp | null;

  constructor(markers: readonly string[]) {
    this.#markers = markers.toSorted((one, other) => other.length - one.length);
    const alternatives = this.#markers.map((marker) => escapeForRegExp(marker));
    this.#anyMarker = alternatives.length === 0 ? null : new RegExp(alternatives.join("|"), "gu");
  }

  /** Throws a plain `Error` when the contents use up all private characters, which no real text does. */
  hide(contents: readonly string[]): Guarded {
    const found = this.#anyMarker;
    const hidden: string[] = [];
    const pair = found === null ? null : unusedPair(contents);
    if (found === null) return whole(contents);
    if (pair === null) throw new Error("the text uses every private-use character");
    const [open, close] = pair;
    const cover = (text: string) => `${open}${hidden.push(text) - 1}${close}`;
    const guarded = contents.map((content) => {
      const covered = content.replace(found, cover);
      const body = covered.trimEnd();
      const tail = this.#beginningAtEnd(body);
      return tail === "" ? covered : body.slice(0, -tail.length) + cover(tail) + covered.slice(body.length);
    });
    if (hidden.length === 0) return whole(contents);
    const covers = new RegExp(`${open}(\\d+)${close}`, "u");
    return {
      contents: guarded,
      reveal: (rendered) =>
        rendered
          .split(covers)
          .map((text, index) =>
            index % 2 === 0 ? { text, literal: false } : { text: hidden[Number(text)] ?? "", literal: true },
          )
          .filter(({ text }) => text !== ""),
    };
  }

  /** The longest end of the text with which a marker begins, longer than one character: a single `<` is ordinary. */
  #beginningAtEnd(text: string): string {
    let longest = "";
    for (const marker of this.#markers) {
      for (let length = Math.min(marker.length - 1, text.length); length > Math.max(1, longest.length); length--) {
        if (text.endsWith(marker.slice(0, length))) longest = marker.slice(0, length);
      }
    }
    return longest;
  }
}

const whole = (contents: readonly string[]): Guarded => ({
  contents,
  reveal: (rendered) => [{ text: rendered, literal: false }],
});
