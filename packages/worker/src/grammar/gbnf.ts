/**
 * Writing grammars in llama.cpp's GBNF. Expressions are strings that stand for themselves in a sequence: a rule's name,
 * a quoted text, a character class or something in parentheses.
 */
export type Expression = string;

/** Longer grammars would keep everybody waiting while the library reads them. */
export const longestGrammar = 200_000;

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The expression of exactly this text. */
export function literal(text: string): Expression {
  const escaped = text.replace(
    // eslint-disable-next-line no-control-regex -- control characters are what must be escaped
    /[\\"\u0000-\u001F\u007F]/gu,
    (character) => escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}

export const sequence = (...parts: readonly Expression[]): Expression => {
  const real = parts.filter((part) => part !== '""');
  return real.length === 1 ? (real[0] ?? '""') : real.length === 0 ? '""' : `(${real.join(" ")})`;
};

export function either(options: readonly Expression[]): Expression {
  const different = [...new Set(options)];
  return different.length === 1 ? (different[0] ?? '""') : `(${different.join(" | ")})`;
}

/**
 * Any one of these texts. What several begin with is written once, so that a reader of a long list follows few of them
 * at a time.
 */
export function oneOfTexts(texts: readonly string[]): Expression {
  const groups = new Map<string, string[]>();
  let ends = false;
  for (const text of new Set(texts)) {
    const [first] = text;
    if (first === undefined) {
      ends = true;
      continue;
    }
    const rest = text.slice(first.length);
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [rest]);
    else group.push(rest);
  }
  const options = [...groups].map(([first, rests]) => {
    if (rests.length === 1) return literal(first + (rests[0] ?? ""));
    const shared = sharedBeginning(rests);
    return sequence(literal(first + shared), oneOfTexts(rests.map((rest) => rest.slice(shared.length))));
  });
  return either(ends ? [...options, '""'] : options);
}

function sharedBeginning(texts: readonly string[]): string {
  const [first = "", ...others] = texts;
  let length = first.length;
  for (const text of others) {
    let same = 0;
    while (same < length && text.charCodeAt(same) === first.charCodeAt(same)) same++;
    length = same;
  }
  // Half of a surrogate pair is no character.
  if ((first.charCodeAt(length - 1) & 0xfc00) === 0xd800) length--;
  return first.slice(0, length);
}

export const optional = (expression: Expression): Expression => `${expression}?`;

/** llama.cpp writes a bounded repetition out as that many rules, and takes no more than about 2000 in one place. */
const blockSize = 500;
/** Beyond so many blocks a bound is a mistake rather than a wish. */
const mostBlocks = 400;

/** The highest bound that a repetition can have. */
export const mostRepetitions = blockSize * mostBlocks;

/** The rules of one grammar. Equal rules are written once. */
export class GrammarBuilder {
  readonly #bodies = new Map<string, string>();
  readonly #names = new Map<string, string>();
  #count = 0;

  get size(): number {
    return this.#bodies.size;
  }

  /** A name whose rule is defined later, for what refers to itself. */
  reserve(): string {
    return `r${++this.#count}`;
  }

  define(name: string, body: Expression): void {
    this.#bodies.set(name, body);
  }

  /** Makes the expression a rule of its own, so that it is written only once, and answers its name. */
  rule(body: Expression): string {
    if (/^r\d+$/u.test(body)) return body;
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.#names.set(body, name);
    this.define(name, body);
    return name;
  }

  /** From `least` to `most` times, one after the other; `most` may be null for any number. */
  repeat(expression: Expression, least: number, most: number | null): Expression {
    const item = this.rule(expression);
    if (most === 0) return '""';
    if (most === null) return least === 0 ? `${item}*` : sequence(...this.#exactly(item, least), `${item}*`);
    if (least === most) return sequence(...this.#exactly(item, least));
    return sequence(...this.#exactly(item, least), this.#upTo(item, most - least));
  }

  #exactly(item: string, times: number): Expression[] {
    if (times === 0) return [];
    if (times === 1) return [item];
    if (times <= blockSize) return [`${item}{${times}}`];
    const block = this.rule(`${item}{${blockSize}}`);
    const blocks = Math.floor(times / blockSize);
    return [blocks === 1 ? block : `${block}{${blocks}}`, ...this.#exactly(item, times % blockSize)];
  }

  /** Either less than a block, or a block and then more: at any place only a few readings are open. */
  #upTo(item: string, times: number): Expression {
    if (times === 1) return `${item}?`;
    if (times <= blockSize) return `${item}{0,${times}}`;
    const block = this.rule(`${item}{${blockSize}}`);
    let rest = `${item}{0,${times % blockSize}}`;
    if (times % blockSize === 0) rest = '""';
    for (let blocks = Math.floor(times / blockSize); blocks > 0; blocks--)
      rest = this.rule(either([`${item}{0,${blockSize - 1}}`, sequence(block, rest)]));
    return rest;
  }

  /** The whole grammar: an answer matches `root`. */
  text(root: Expression): string {
    const rules = [...this.#bodies].map(([name, body]) => `${name} ::= ${body}`);
    return [`root ::= ${root}`, ...rules].join("\n");
  }
}
