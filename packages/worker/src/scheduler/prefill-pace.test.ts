import { describe, expect, it } from "vitest";
import { PrefillPace } from "./prefill-pace.ts";

const beside = { waiting: 1, answering: 1 };

describe("PrefillPace", () => {
  it("reads more of a prompt at once when nobody waits for a token", () => {
    const pace = new PrefillPace(512);
    pace.measured(128, 128);
    expect(pace.budget(beside)).toBe(64);
    expect(pace.budget({ waiting: 1, answering: 0 })).toBe(512);
  });

  it("holds answers up longer when more requests wait than are answered, but never longer than a second", () => {
    const pace = new PrefillPace(512);
    pace.measured(100, 400);
    const budgets = [1, 2, 5, 7, 100].map((waiting) => pace.budget({ waiting, answering: 1 }));
    expect(budgets).toEqual([32, 32, 128, 128, 128]);
    expect(pace.budget({ waiting: 7, answering: 7 })).toBe(32);
    const quick = new PrefillPace(2048);
    quick.measured(100, 100);
    expect(quick.budget({ waiting: 100, answering: 1 })).toBe(512);
  });

  it("uses the whole batch on a fast machine, and never less than 32 on a slow one", () => {
    const fast = new PrefillPace(2048);
    fast.measured(1000, 10);
    expect(fast.budget(beside)).toBe(2048);
    const slow = new PrefillPace(512);
    slow.measured(100, 10_000);
    expect(slow.budget(beside)).toBe(32);
  });

  it("learns nothing from steps that computed next to no prompt", () => {
    const pace = new PrefillPace(512);
    pace.measured(1, 5000);
    expect(pace.budget(beside)).toBe(128);
  });

  it("waits for company a fiftieth of what a prompt takes, and hardly at all", () => {
    const pace = new PrefillPace(512);
    expect(pace.gatherMs(1_000)).toBe(0);
    pace.measured(100, 100);
    expect(pace.gatherMs(100)).toBeCloseTo(2);
    expect(pace.gatherMs(10_000)).toBe(5);
  });
});
