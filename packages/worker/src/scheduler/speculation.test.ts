import { describe, expect, it } from "vitest";
import { GuessCost, Speculation } from "./speculation.ts";

/** A machine on which a step takes so long, by guessed tokens. */
function machine(ms: Record<number, number>): GuessCost {
  const cost = new GuessCost();
  for (const [guessed, each] of Object.entries(ms)) cost.measured(Number(guessed), each);
  return cost;
}

const looped = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4];

describe("the length of a guess", () => {
  it("is long where guesses cost little and are good", () => {
    expect(machine({ 0: 10, 3: 10, 7: 11 }).bestLength(0.9)).toBe(7);
  });

  it("is short where a long one costs more than it brings", () => {
    expect(machine({ 0: 10, 3: 12, 7: 40 }).bestLength(0.8)).toBe(3);
  });

  it("is none where arithmetic is what takes the time, nor before a step alone was measured", () => {
    expect(machine({ 0: 10, 3: 40, 7: 80 }).bestLength(0.9)).toBe(0);
    expect(new GuessCost().bestLength(1)).toBe(0);
  });

  it("is measured again now and then, since something else may have been slow", () => {
    const tries = (cost: GuessCost) =>
      Array.from({ length: 3000 }, () => cost.bestLength(0.9)).filter((length) => length > 0).length;
    expect(tries(machine({ 0: 10, 3: 38, 7: 80 }))).toBe(46);
    // More than four steps for four tokens, each of them right or not, are not worth the looking.
    expect(tries(machine({ 0: 10, 3: 45, 7: 90 }))).toBe(2);
  });
});

describe("the guesses of an answer", () => {
  it("fit into the room that is left", () => {
    const speculation = new Speculation("always", new GuessCost(), looped);
    expect(speculation.guess(100)).toEqual([1, 2, 3, 4, 1, 2, 3]);
    expect(speculation.guess(6)).toEqual([1, 2, 3]);
    expect(speculation.guess(2)).toEqual([]);
  });

  it("end when they are mostly wrong, and are tried again later", () => {
    const speculation = new Speculation("auto", machine({ 0: 10, 3: 15, 7: 25 }), looped);
    expect(speculation.guess(100)).not.toEqual([]);
    let wrong = 0;
    for (; speculation.guess(100).length > 0; wrong++) speculation.learned(3, 0);
    expect(wrong).toBeLessThan(5);
    let quiet = 0;
    while (speculation.guess(100).length === 0) quiet++;
    expect(quiet).toBeGreaterThan(10);
    expect(speculation.tally).toEqual({ guessed: 3 * wrong, right: 0 });
  });
});
