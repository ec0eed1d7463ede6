import { describe, expect, it } from "vitest";
import { GrammarBuilder, literal, oneOfTexts } from "./gbnf.ts";
import { repeatsEmpty } from "./gbnf-check.ts";
import { schemaExpression } from "./json-schema.ts";
import { otherKey } from "./json-text.ts";
import { numberRange } from "./number-range.ts";
import { SchemaProblem } from "./schema-problem.ts";

/** A grammar without rules and repetitions of groups, as a regular expression. */
const regexOf = (expression: string) =>
  new RegExp(
    `^${expression.replaceAll(/"((?:[^"\\]|\\.)*)"|\s+/gu, (_, text: string | undefined) => (text ?? "").replaceAll(".", "\\."))}$`,
    "u",
  );

describe("literal", () => {
  it("escapes what would end or change it", () => {
    expect(literal('a"b\\c\n\u0001é')).toBe('"a\\"b\\\\c\\n\\x01é"');
  });
});

describe("oneOfTexts", () => {
  it("matches exactly the texts, what they share written once", () => {
    const texts = ["value 1", "value 12", "value", "other", "🐝", "🐝🐝"];
    const expression = oneOfTexts(texts);
    for (const text of texts) expect(text).toMatch(regexOf(expression));
    for (const text of ["", "valu", "value 2", "value 123", "othe"]) expect(text).not.toMatch(regexOf(expression));
    expect(expression.match(/value/gu)).toHaveLength(1);
  });

  it("never parts the halves of a surrogate pair", () => {
    const texts = ["a🐝b", "a🐞c", "a🐝"];
    const expression = oneOfTexts(texts);
    expect(expression.isWellFormed()).toBe(true);
    for (const text of texts) expect(text).toMatch(regexOf(expression));
  });

  it("takes time in proportion to the length of the texts", () => {
    const long = "x".repeat(90_000);
    const began = performance.now();
    oneOfTexts([`${long}a`, `y`, `${long}b`, "x"]);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("numberRange", () => {
  it.each([
    [0, 9],
    [1, 1],
    [7, 213],
    [-12, 34],
    [-205, -98],
    [99, 1001],
  ])("matches the whole numbers from %i to %i and no others", (low, high) => {
    const regex = regexOf(numberRange(BigInt(low), BigInt(high)) ?? "");
    for (let value = low - 150; value <= high + 150; value++)
      expect(regex.test(String(value)), String(value)).toBe(value >= low && value <= high);
    for (const odd of ["", "-", "01", "+1", "1.0", "-0"]) expect(regex.test(odd)).toBe(false);
  });

  it("writes decimals", () => {
    const regex = regexOf(numberRange(-5n, 120n, 2) ?? "");
    for (const right of ["-0.05", "0.00", "1.20", "0.99"]) expect(right).toMatch(regex);
    for (const wrong of ["-0.06", "1.21", "1.2", ".5", "1"]) expect(wrong).not.toMatch(regex);
  });

  it("is null where there is no such number", () => {
    expect(numberRange(5n, 4n)).toBeNull();
    expect(numberRange(10n ** 15n, null)).toBeNull();
  });
});

describe("schemaExpression", () => {
  const place = (schema: unknown) => {
    try {
      schemaExpression(new GrammarBuilder(), schema);
      return null;
    } catch (error) {
      return error instanceof SchemaProblem ? error.place : "?";
    }
  };

  it.each([
    "(a*)*",
    "(a|)+",
    "(a?b?){2,3}",
    "((x*)|y){0,9}",
    "(?<=a)b",
    "a(?!b)",
    "\\bword",
    "\\p{L}",
    "a{3,2}",
    "[z-a]",
    "(a",
    "^^a",
  ])("refuses the pattern %s", (pattern) => {
    expect(place({ type: "string", pattern })).toBe(".pattern");
  });

  it.each([
    "^(\\+?\\d{1,3}-)?\\d+$",
    "^[\\w.-]+@\\w+\\.[a-z]{2,}$",
    "foo|^bar$",
    "^([a-z]+/)*[a-z]+?$",
    "^\\u00e9[^\\s\\]]$",
  ])("takes the pattern %s", (pattern) => {
    expect(place({ type: "string", pattern })).toBeNull();
  });

  it("refuses constants that no grammar has room for", () => {
    expect(place({ enum: ["x".repeat(150_000), "y".repeat(150_000)] })).toBe(".enum");
  });

  it("refuses a reference that is not written rightly", () => {
    expect(place({ $defs: {}, $ref: "#/$defs/100%" })).toBe(".$ref");
  });

  it.each([
    [
      "anyOf beside anyOf, again and again",
      {
        allOf: Array.from({ length: 12 }, (_, index) => ({
          anyOf: [{ minimum: index }, { minimum: 20 + index }, { minimum: 40 + index }],
        })),
      },
    ],
    [
      "references that double at each step",
      {
        $defs: Object.fromEntries([
          ...Array.from({ length: 40 }, (_, index) => {
            const next = { $ref: `#/$defs/d${index + 1}`, minProperties: 0 };
            return [`d${index}`, { type: "object", properties: { a: next, b: next } }] as const;
          }),
          ["d40", { type: "object" }],
        ]),
        $ref: "#/$defs/d0",
      },
    ],
    [
      "parts that double at each step",
      {
        $defs: Object.fromEntries([
          ...Array.from({ length: 40 }, (_, index) => {
            const next = { $ref: `#/$defs/d${index + 1}` };
            return [`d${index}`, { allOf: [next, next] }] as const;
          }),
          ["d40", {}],
        ]),
        $ref: "#/$defs/d0",
      },
    ],
  ])("refuses a short schema that asks for endless work: %s", (_, schema) => {
    expect(() => schemaExpression(new GrammarBuilder(), schema)).toThrow("is too large");
    expect(() => schemaExpression(new GrammarBuilder(), schema, { lenient: true })).not.toThrow(RangeError);
  });

  it("takes a model that refers to itself with a description beside", () => {
    const node = {
      type: "object",
      properties: {
        left: { description: "one side", allOf: [{ $ref: "#/$defs/node" }] },
        right: { description: "the other", allOf: [{ $ref: "#/$defs/node", title: "Right" }] },
      },
    };
    expect(place({ $defs: { node }, $ref: "#/$defs/node" })).toBeNull();
  });

  it("takes two parts that refer to the same, but nothing that refers to itself", () => {
    const $defs = {
      base: { type: "object", properties: { id: { type: "integer" } } },
      one: { allOf: [{ $ref: "#/$defs/base" }, { properties: { a: {} } }] },
      two: { allOf: [{ $ref: "#/$defs/base" }, { properties: { b: {} } }] },
      loop: { allOf: [{ $ref: "#/$defs/base" }, { $ref: "#/$defs/loop" }] },
    };
    expect(place({ $defs, allOf: [{ $ref: "#/$defs/one" }, { $ref: "#/$defs/two" }] })).toBeNull();
    expect(place({ $defs, $ref: "#/$defs/one", allOf: [{ $ref: "#/$defs/base" }] })).toBeNull();
    expect(place({ $defs, allOf: [{ $ref: "#/$defs/loop" }] })).not.toBeNull();
  });

  it("tells branches of oneOf apart only where a type or a property does", () => {
    const branch = (kind: string) => ({ properties: { kind: { const: kind } }, required: ["kind"] });
    expect(place({ oneOf: [{ type: "string" }, branch("a")] })).toBe(".oneOf");
    expect(place({ oneOf: [branch("a"), branch("b")] })).toBeNull();
    expect(place({ type: "object", oneOf: [branch("a"), branch("b")] })).toBeNull();
    expect(place({ type: ["object", "string"], oneOf: [branch("a"), branch("b")] })).toBe(".oneOf");
    expect(place({ oneOf: Array.from({ length: 300 }, (_, value) => ({ const: value })) })).toBeNull();
  });

  it("leaves what it cannot say to the model when it may", () => {
    const schema = { type: "object", properties: { a: { not: {} }, b: { pattern: "(?=x)", type: "string" } } };
    expect(() => schemaExpression(new GrammarBuilder(), schema, { lenient: true })).not.toThrow();
    expect(place(schema)).toBe(".properties.a.not");
  });
});

describe("otherKey", () => {
  it("is none of the names, whatever characters they have", () => {
    const grammar = new GrammarBuilder();
    expect(grammar.text(otherKey(grammar, ["\u0085"]))).toContain('"\u0085"');
  });
});

describe("repeatsEmpty", () => {
  it.each([
    'root ::= (a | b)*\na ::= "x"*\nb ::= "y"',
    "root ::= a a\na ::= (([a-z]?){0,100}){0,15} # often",
    'root ::= ("" | "a"){2}',
    'root ::= item+\nitem ::= other?\nother ::= "("',
    'root ::= ("a"?){0, 100}',
    'root ::= ("a"?){ 2 }',
    'root ::= ("a"?){ 2 , }',
    'root ::= "a"?*',
    "root ::= ([])*",
    'root ::= ("b" # aside\r| ("a"?)*)',
  ])("finds it in %j", (grammar) => {
    expect(repeatsEmpty(grammar)).toBe(true);
  });

  it.each([
    'root ::= "a"? "b"* [^)(|*"\\]]{2,3} ("x" "y"?)* .',
    'root ::= list\nlist ::=\n  item ("," item)* | ""\nitem ::= [0-9]+',
  ])("does not in %j", (grammar) => {
    expect(repeatsEmpty(grammar)).toBe(false);
  });

  it.each([
    ["no grammar", "{{{"],
    ["an open text", 'root ::= "a'],
    ["a comment in a count", 'root ::= (("a"?){0, # aside\n 100})'],
    ["a NUL", 'root ::= ("a"?)* # \0\nroot ::= "a"'],
    ["thousands of parentheses", `root ::= ${"(".repeat(5000)}"a"${")".repeat(5000)}`],
  ])("says that it cannot read %s", (_, grammar) => {
    expect(repeatsEmpty(grammar)).toBeNull();
  });
});
