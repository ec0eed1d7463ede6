import { describe, expect, it } from "vitest";
import { PrefillPace } from "./prefill-pace.ts";

const long = 100_000;
const beside = { waiting: 1, answering: 1, promptLeft: long };
/** A step that computed nothing but so much of a prompt. */
const prompt = (promptTokens: number) => ({ promptTokens, answers: 0 });

describe("PrefillPace", () => {
  it("reads more of a prompt at once when nobody waits for a token", () => {
    const pace = new PrefillPace(512);
    pace.measured(prompt(128), 128);
    expect(pace.budget(beside)).toBe(256);
    expect(pace.budget({ waiting: 1, answering: 0, promptLeft: long })).toBe(512);
  });

  it("holds answers up longer when more requests wait than are answered, but never longer than a second", () => {
    const pace = new PrefillPace(512);
    pace.measured(prompt(100), 400);
    const budgets = [1, 2, 5, 7, 100].map((waiting) => pace.budget({ waiting, answering: 1, promptLeft: long }));
    expect(budgets).toEqual([64, 128, 192, 192, 192]);
    expect(pace.budget({ waiting: 7, answering: 7, promptLeft: long })).toBe(64);
    const quick = new PrefillPace(2048);
    quick.measured(prompt(100), 100);
    expect(quick.budget({ waiting: 100, answering: 1, promptLeft: long })).toBe(768);
  });

  it("uses the whole batch on a fast machine, and never less than 32 on a slow one", () => {
    const fast = new PrefillPace(2048);
    fast.measured(prompt(1000), 10);
    expect(fast.budget(beside)).toBe(2048);
    const slow = new PrefillPace(512);
    slow.measured(prompt(100), 10_000);
    expect(slow.budget(beside)).toBe(32);
  });

  it("learns nothing from steps that computed next to no prompt", () => {
    const pace = new PrefillPace(512);
    pace.measured(prompt(1), 5000);
    expect(pace.budget(beside)).toBe(128);
  });

  it("computes at once what is left of all prompts, when that takes half a second at most", () => {
    const pace = new PrefillPace(512);
    pace.measured(prompt(100), 200);
    expect(pace.budget({ waiting: 1, answering: 5, promptLeft: 165 })).toBe(165);
    expect(pace.budget({ waiting: 1, answering: 5, promptLeft: 400 })).toBe(128);
  });

  it("takes what the answers beside a prompt took for theirs", () => {
    const pace = new PrefillPace(512);
    for (let step = 0; step < 20; step++) {
      pace.measured({ promptTokens: 0, answers: 6 }, 40);
      pace.measured({ promptTokens: 32, answers: 7 }, 104);
    }
    expect(pace.msPerToken).toBeCloseTo(2);
  });

  it("waits for company a fiftieth of what a prompt takes, and hardly at all", () => {
    const pace = new PrefillPace(512);
    expect(pace.gatherMs(1_000)).toBe(0);
    pace.measured(prompt(100), 100);
    expect(pace.gatherMs(100)).toBeCloseTo(2);
    expect(pace.gatherMs(10_000)).toBe(5);
  });
});
