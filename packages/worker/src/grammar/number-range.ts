import { either, literal, sequence, type Expression } from "./gbnf.ts";

/** Digits of the largest whole number that a grammar lets through: all of them are exact in a double. */
export const mostDigits = 15;

/** What one digit may be. */
type Digit = readonly [from: number, to: number];

const anyDigit: Digit = [0, 9];

/** All numbers of one length from `low` to `high`, as alternatives of digits; both are written in that many digits. */
function sameLength(low: string, high: string): Digit[][] {
  const [a, b] = [Number(low[0]), Number(high[0])];
  if (low === "") return [[]];
  const rest = low.length - 1;
  const [nines, zeros] = ["9".repeat(rest), "0".repeat(rest)];
  if (low.slice(1) === zeros && high.slice(1) === nines) return [[[a, b], ...new Array<Digit>(rest).fill(anyDigit)]];
  const after = (digit: Digit, tails: Digit[][]) => tails.map((tail) => [digit, ...tail]);
  if (a === b) return after([a, a], sameLength(low.slice(1), high.slice(1)));
  return [
    ...after([a, a], sameLength(low.slice(1), nines)),
    ...(b - a > 1 ? after([a + 1, b - 1], sameLength(zeros, nines)) : []),
    ...after([b, b], sameLength(zeros, high.slice(1))),
  ];
}

/** Numbers from `low` to `high`, neither negative, in at least `width` digits. */
function upwards(low: bigint, high: bigint, width: number): Digit[][] {
  const all: Digit[][] = [];
  for (let length = width; length <= mostDigits; length++) {
    const [first, last] = [length === width ? 0n : 10n ** BigInt(length - 1), 10n ** BigInt(length) - 1n];
    const [from, to] = [low > first ? low : first, high < last ? high : last];
    const written = (value: bigint) => String(value).padStart(length, "0");
    if (from <= to) all.push(...sameLength(written(from), written(to)));
  }
  return all;
}

/** Writes digits as an expression, with a decimal point before the last `decimals`. */
function written(digits: readonly Digit[], decimals: number): Expression {
  const parts: string[] = [];
  let [same, count] = ["", 0];
  const flush = () => {
    if (count > 0) parts.push(count === 1 ? same : `${same}{${count}}`);
    count = 0;
  };
  digits.forEach(([from, to], index) => {
    if (decimals > 0 && index === digits.length - decimals) {
      flush();
      parts.push('"."');
    }
    const digit = from === to ? literal(String(from)) : `[${from}-${to}]`;
    if (digit !== same) flush();
    same = digit;
    count++;
  });
  flush();
  return sequence(...parts);
}

/**
 * The whole numbers from `least` to `most`, divided by 10 to the power of `decimals` and written with so many decimals.
 * A bound that is null is as far as fifteen digits go. Answers null when there is no such number.
 */
export function numberRange(least: bigint | null, most: bigint | null, decimals = 0): Expression | null {
  const end = 10n ** BigInt(mostDigits) - 1n;
  const [low, high] = [least ?? -end, most ?? end];
  const options: Expression[] = [];
  const add = (sign: string, from: bigint, to: bigint) => {
    if (from > to) return;
    const digits = upwards(from, to, decimals + 1);
    if (digits.length === 0) return;
    options.push(sequence(literal(sign), either(digits.map((alternative) => written(alternative, decimals)))));
  };
  if (low < 0n) add("-", high < 0n ? -high : 1n, -low);
  if (high >= 0n) add("", low > 0n ? low : 0n, high);
  return options.length === 0 ? null : either(options);
}
