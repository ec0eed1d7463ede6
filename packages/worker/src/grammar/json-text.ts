import { either, literal, optional, sequence, type Expression, type GrammarBuilder } from "./gbnf.ts";

/** One character of a JSON string, as it is or escaped; each is one character of the value as well. */
export const stringCharacter: Expression =
  '([^"\\\\\\x00-\\x1F\\x7F\\uD800-\\uDFFF] | "\\\\" (["\\\\/bfnrt] | "u" ([0-9A-CE-Fa-ce-f] [0-9A-Fa-f]{3} | [Dd] [0-7] [0-9A-Fa-f]{2})))';

/** The white space of every answer: at most one space after a comma or a colon, so that no model loops in it. */
export const gap: Expression = "[ ]?";

export const comma = sequence('","', gap);

/** A whole number of at most fifteen digits. */
export const anyInteger: Expression = '("-"? ("0" | [1-9] [0-9]{0,14}))';
/** A number that is finite in a double. */
export const anyNumber: Expression = '("-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?)';

/** A string with so many characters. */
export function jsonString(grammar: GrammarBuilder, least = 0, most: number | null = null): Expression {
  return sequence('"\\""', grammar.repeat(stringCharacter, least, most), '"\\""');
}

/** The one way in which a value is written. */
export function jsonLiteral(value: unknown): Expression {
  return literal(JSON.stringify(value));
}

/** Things in brackets with commas between them. */
export function jsonList(
  grammar: GrammarBuilder,
  [open, close]: readonly [string, string],
  item: Expression,
  least = 0,
  most: number | null = null,
): Expression {
  const empty = literal(open + close);
  if (most === 0) return empty;
  const rest = grammar.repeat(sequence(comma, item), Math.max(0, least - 1), most === null ? null : most - 1);
  const full = sequence(literal(open), item, rest, literal(close));
  return least === 0 ? either([empty, full]) : full;
}

const rulesOfAny = new WeakMap<GrammarBuilder, { value: string; object: string }>();

/** The rules of any JSON value and of any JSON object. */
export function anyJson(grammar: GrammarBuilder): { readonly value: string; readonly object: string } {
  const known = rulesOfAny.get(grammar);
  if (known !== undefined) return known;
  const [value, object] = [grammar.reserve(), grammar.reserve()];
  rulesOfAny.set(grammar, { value, object });
  const text = grammar.rule(jsonString(grammar));
  grammar.define(object, jsonList(grammar, ["{", "}"], sequence(text, '":"', gap, value)));
  const array = grammar.rule(jsonList(grammar, ["[", "]"], value));
  grammar.define(value, either([object, array, text, anyNumber, '"true"', '"false"', '"null"']));
  return { value, object };
}

/** A member of an object: a key's expression, and its value's. */
export const member = (key: Expression, value: Expression): Expression => sequence(key, '":"', gap, value);

/** A JSON string that is none of these: the keys of an object beside its named ones. */
export function otherKey(grammar: GrammarBuilder, names: readonly string[]): Expression {
  interface Node {
    readonly next: Map<string, Node>;
    ends: boolean;
  }
  const root: Node = { next: new Map(), ends: false };
  for (const name of names) {
    let node = root;
    for (const character of name) {
      const next: Node = node.next.get(character) ?? { next: new Map(), ends: false };
      node.next.set(character, next);
      node = next;
    }
    node.ends = true;
  }
  // Escapes could spell a name differently, so these keys have none; nor could they be told apart after one.
  const plain = '[^"\\\\\\x00-\\x1F\\x7F\\uD800-\\uDFFF]';
  const rule = (node: Node): Expression => {
    const excluded = [...node.next.keys()].filter((character) =>
      // eslint-disable-next-line no-control-regex -- exactly those that `plain` leaves out
      /[^"\\\u0000-\u001F\u007F\p{Cs}]/u.test(character),
    );
    const others = `[^"\\\\\\x00-\\x1F\\x7F\\uD800-\\uDFFF${excluded.map(inClass).join("")}]`;
    const options = excluded.map((character) => {
      const next = node.next.get(character);
      return next === undefined ? "" : sequence(literal(character), rule(next));
    });
    const further = either([sequence(others, `${plain}*`), ...options]);
    return grammar.rule(node.ends ? further : optional(further));
  };
  return sequence('"\\""', rule(root), '"\\""');
}

/** A character as it is written inside a class. */
export function inClass(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (/[\\\]["^-]/u.test(character) || code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  return character;
}
