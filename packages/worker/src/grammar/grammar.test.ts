import { describe, expect, it } from "vitest";
import { GrammarBuilder, literal, oneOfTexts } from "./gbnf.ts";
import { repeatsEmpty } from "./gbnf-check.ts";
import { schemaExpression } from "./json-schema.ts";
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

  it("leaves what it cannot say to the model when it may", () => {
    const schema = { type: "object", properties: { a: { not: {} }, b: { pattern: "(?=x)", type: "string" } } };
    expect(() => schemaExpression(new GrammarBuilder(), schema, { lenient: true })).not.toThrow();
    expect(place(schema)).toBe(".properties.a.not");
  });
});

describe("repeatsEmpty", () => {
  it.each([
    'root ::= (a | b)*\na ::= "x"*\nb ::= "y"',
    "root ::= a a\na ::= (([a-z]?){0,100}){0,15} # often",
    'root ::= ("" | "a"){2}',
    'root ::= item+\nitem ::= other?\nother ::= "("',
  ])("finds it in %j", (grammar) => {
    expect(repeatsEmpty(grammar)).toBe(true);
  });

  it.each([
    'root ::= "a"? "b"* [^)(|*"\\]]{2,3} ("x" "y"?)* .',
    'root ::= list\nlist ::=\n  item ("," item)* | ""\nitem ::= [0-9]+',
    "{{{",
    'root ::= "a',
  ])("does not in %j", (grammar) => {
    expect(repeatsEmpty(grammar)).toBe(false);
  });
});
