import { either, literal, mostRepetitions, optional, sequence, type Expression, type GrammarBuilder } from "./gbnf.ts";
import { inClass, stringCharacter } from "./json-text.ts";

/** Characters by their code points. */
type Range = readonly [from: number, to: number];

const code = (character: string) => character.codePointAt(0) ?? 0;
const digits: Range[] = [[0x30, 0x39]];
const words: Range[] = [...digits, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const spaces: Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
/** What cannot stand in a JSON string as it is. */
const notPlain: Range[] = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x7f, 0x7f],
  [0xd800, 0xdfff],
];
const last = 0x10ffff;

function without(ranges: readonly Range[], removed: readonly Range[]): Range[] {
  return removed.reduce<Range[]>(
    (left, [from, to]) =>
      left.flatMap(([start, end]): Range[] => {
        if (to < start || from > end) return [[start, end]];
        const parts: Range[] = [];
        if (start < from) parts.push([start, from - 1]);
        if (end > to) parts.push([to + 1, end]);
        return parts;
      }),
    [...ranges],
  );
}

/** One character of these, as it is written in a JSON string. */
function characterOf(ranges: readonly Range[]): Expression | null {
  const plain = without(ranges, notPlain);
  const has = (value: number) => ranges.some(([from, to]) => from <= value && value <= to);
  const options: Expression[] = [];
  if (plain.length > 0) {
    const written = (value: number) => inClass(String.fromCodePoint(value));
    const inside = plain.map(([from, to]) => (from === to ? written(from) : `${written(from)}-${written(to)}`));
    options.push(`[${inside.join("")}]`);
  }
  for (const [character, escape] of [
    ['"', '\\"'],
    ["\\", "\\\\"],
    ["\n", "\\n"],
    ["\t", "\\t"],
    ["\r", "\\r"],
  ] as const)
    if (has(code(character))) options.push(literal(escape));
  return options.length === 0 ? null : either(options);
}

const singleEscapes: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b, "0": 0 };
const classEscapes: Readonly<Record<string, Range[]>> = { d: digits, w: words, s: spaces };

/** Reads a regular expression and writes a grammar of it. Throws plain errors that say what it cannot express. */
class PatternReader {
  readonly #characters: readonly string[];
  readonly #grammar: GrammarBuilder;
  #at = 0;

  constructor(pattern: string, grammar: GrammarBuilder) {
    this.#characters = Array.from(pattern);
    this.#grammar = grammar;
  }

  /** The whole pattern. What is not anchored may have anything before or after it. */
  read(): Expression {
    const anything = `${this.#grammar.rule(stringCharacter)}*`;
    const options: Expression[] = [];
    do {
      const before = this.#take("^") ? [] : [anything];
      const body = this.#sequence(true);
      const after = this.#take("$") ? [] : [anything];
      options.push(sequence(...before, ...body, ...after));
    } while (this.#take("|"));
    if (this.#peek() !== undefined) throw new Error("has an anchor in the middle, or a bracket too many");
    return either(options);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new Error("is not finished");
    return character;
  }

  #alternatives(): Expression {
    const options = [sequence(...this.#sequence(false))];
    while (this.#take("|")) options.push(sequence(...this.#sequence(false)));
    return either(options);
  }

  #sequence(top: boolean): Expression[] {
    const parts: Expression[] = [];
    for (let next = this.#peek(); next !== undefined && next !== "|" && next !== ")"; next = this.#peek()) {
      if (next === "$" && top) break;
      parts.push(this.#quantified(this.#atom()));
    }
    return parts;
  }

  #atom(): Expression {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#class();
    if (character === ".") return this.#one(without([[0, last]], lineEnds));
    if (character === "^" || character === "$") throw new Error("has an anchor in the middle");
    if (character === "*" || character === "+" || character === "?") throw new Error("repeats nothing");
    if (character !== "\\") return this.#one([[code(character), code(character)]]);
    return this.#one(this.#escape());
  }

  #one(ranges: readonly Range[]): Expression {
    const expression = characterOf(ranges);
    if (expression === null) throw new Error("needs a character that this grammar cannot write");
    return expression;
  }

  #group(): Expression {
    if (this.#take("?")) {
      if (this.#take("<")) {
        if (this.#peek() === "=" || this.#peek() === "!") throw new Error("looks behind");
        while (this.#next() !== ">");
      } else if (!this.#take(":")) throw new Error("looks ahead");
    }
    const inside = this.#alternatives();
    if (!this.#take(")")) throw new Error("has an anchor in a group, or is not finished");
    return this.#grammar.rule(inside);
  }

  /** What stands after a backslash, inside a class or not. */
  #escape(): Range[] {
    const character = this.#next();
    const set = classEscapes[character];
    if (set !== undefined) return set;
    const opposite = classEscapes[character.toLowerCase()];
    if (opposite !== undefined) return without([[0, last]], opposite);
    const single = singleEscapes[character];
    if (single !== undefined) return [[single, single]];
    if (character === "x" || character === "u") {
      const hex =
        character === "u" && this.#take("{")
          ? this.#until("}")
          : this.#next() + this.#next() + (character === "u" ? this.#next() + this.#next() : "");
      const value = Number.parseInt(hex, 16);
      if (!/^[0-9a-f]{1,6}$/iu.test(hex) || value > last) throw new Error("has a broken escape");
      return [[value, value]];
    }
    if (/[A-Za-z0-9]/u.test(character)) throw new Error(`uses \\${character}`);
    return [[code(character), code(character)]];
  }

  #until(end: string): string {
    let text = "";
    for (let next = this.#next(); next !== end; next = this.#next()) text += next;
    return text;
  }

  #class(): Expression {
    const negated = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      const from = this.#classPart();
      const [start] = from;
      if (
        start === undefined ||
        start[0] !== start[1] ||
        from.length !== 1 ||
        this.#characters[this.#at + 1] === "]" ||
        !this.#take("-")
      ) {
        ranges.push(...from);
        continue;
      }
      const [to] = this.#classPart();
      if (to === undefined || to[0] < start[0]) throw new Error("has a broken range");
      ranges.push([start[0], to[1]]);
    }
    return this.#one(negated ? without([[0, last]], ranges) : ranges);
  }

  #classPart(): Range[] {
    const character = this.#next();
    return character === "\\" ? this.#escape() : [[code(character), code(character)]];
  }

  #quantified(atom: Expression): Expression {
    const repeated = this.#quantifier(atom);
    // Whether it prefers few or many makes no difference to what matches.
    if (repeated !== atom) this.#take("?");
    return repeated;
  }

  #quantifier(atom: Expression): Expression {
    if (this.#take("*")) return this.#grammar.repeat(atom, 0, null);
    if (this.#take("+")) return this.#grammar.repeat(atom, 1, null);
    if (this.#take("?")) return optional(this.#grammar.rule(atom));
    if (!this.#take("{")) return atom;
    const [, least = "", comma, most = ""] = /^(\d{1,6})(,?)(\d{0,6})$/u.exec(this.#until("}")) ?? [];
    if (least === "") throw new Error("has a broken repetition");
    const limit = comma === "" ? Number(least) : most === "" ? null : Number(most);
    if (limit !== null && (limit < Number(least) || limit > mostRepetitions)) throw new Error("repeats too often");
    return sequence(this.#grammar.repeat(atom, Number(least), limit));
  }
}

/**
 * The inside of a JSON string whose value matches a regular expression. Throws a plain error that says, after the words
 * "the pattern", what of it no grammar can express.
 */
export function patternExpression(pattern: string, grammar: GrammarBuilder): Expression {
  return new PatternReader(pattern, grammar).read();
}
