import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heldBack, planStep } from "./step-plan.ts";

const decoding = (slot: number) => ({ slot, promptLeft: 0 });
const prompt = (slot: number, promptLeft: number) => ({ slot, promptLeft });

describe("planStep", () => {
  it("gives every running answer its token, whatever else is to do", () => {
    const shares = planStep([prompt(0, 5000), decoding(1), decoding(2)], {
      batchSize: 512,
      prefillBudget: 128,
      oldestFirst: false,
    });
    expect(shares).toEqual([
      { slot: 0, tokens: 128 },
      { slot: 1, tokens: 1 },
      { slot: 2, tokens: 1 },
    ]);
  });

  it("finishes a short prompt beside a long one, which still moves on", () => {
    const shares = planStep([prompt(0, 5000), prompt(1, 20)], {
      batchSize: 512,
      prefillBudget: 128,
      oldestFirst: false,
    });
    expect(shares).toEqual([
      { slot: 0, tokens: 108 },
      { slot: 1, tokens: 20 },
    ]);
  });

  it("lets the oldest prompt go first when it is its turn, so that short ones cannot starve it", () => {
    const prompts = [prompt(0, 5000), prompt(1, 100), prompt(2, 100)];
    const limits = { batchSize: 512, prefillBudget: 100 };
    expect(planStep(prompts, { ...limits, oldestFirst: false })).toEqual([{ slot: 1, tokens: 100 }]);
    expect(planStep(prompts, { ...limits, oldestFirst: true })).toEqual([{ slot: 0, tokens: 100 }]);
  });

  it("cuts prompts of almost one length to that length, so that they are computed together", () => {
    const limits = { batchSize: 512, prefillBudget: 256, oldestFirst: false };
    const cut = (...lengths: number[]) =>
      planStep(
        lengths.map((length, slot) => prompt(slot, length)),
        limits,
      ).map(({ tokens }) => tokens);
    expect(cut(31, 30, 32, 40, 41)).toEqual([30, 30, 30, 40, 40]);
    expect(cut(2, 1)).toEqual([1, 1]);
    expect(planStep([decoding(0), prompt(1, 3), prompt(2, 4)], limits).map(({ tokens }) => tokens)).toEqual([1, 1, 4]);
  });

  it("never exceeds the batch or a prompt, and always has work for somebody", () => {
    const candidates = fc.uniqueArray(
      fc.record({ slot: fc.nat(63), promptLeft: fc.oneof(fc.constant(0), fc.nat(3000)) }),
      { selector: ({ slot }) => slot, minLength: 1, maxLength: 16 },
    );
    fc.assert(
      fc.property(
        candidates,
        fc.integer({ min: 16, max: 512 }),
        fc.integer({ min: 1, max: 512 }),
        fc.boolean(),
        (all, size, budget, oldestFirst) => {
          const shares = planStep(all, { batchSize: size, prefillBudget: budget, oldestFirst });
          const total = shares.reduce((sum, { tokens }) => sum + tokens, 0);
          expect(total).toBeLessThanOrEqual(size);
          const answers = all.filter(({ promptLeft }) => promptLeft === 0);
          expect(total - answers.length).toBeLessThanOrEqual(budget);
          if (answers.length < size) expect(total).toBeGreaterThan(0);
          for (const { slot, promptLeft } of all) {
            const given = shares.find((share) => share.slot === slot)?.tokens ?? 0;
            expect(given).toBeLessThanOrEqual(Math.max(1, promptLeft));
            if (promptLeft === 0) expect(given).toBe(1);
          }
        },
      ),
    );
  });
});

describe("heldBack", () => {
  const beginner = (slot: number, begunMs: number) => ({ slot, promptLeft: 0, ageMs: begunMs + 300, begunMs });
  const running = (slot: number) => ({ slot, promptLeft: 0, ageMs: 5000, begunMs: null });
  const waiting = (slot: number, promptLeft: number, ageMs = 4000) => ({ slot, promptLeft, ageMs, begunMs: null });

  it("lets answers that have just begun wait for those that came before they did", () => {
    expect(heldBack([beginner(0, 200), beginner(1, 100), waiting(2, 150)], 2)).toEqual(new Set([0, 1]));
    expect(heldBack([beginner(0, 200), waiting(1, 150, 199)], 2)).toEqual(new Set());
  });

  it("holds nobody up while somebody is in the middle of an answer", () => {
    expect(heldBack([beginner(0, 200), running(1), waiting(2, 150)], 2)).toEqual(new Set());
  });

  it("holds nobody up for what takes long, or is next to nothing, or is not known", () => {
    const candidates = (left: number) => [beginner(0, 200), waiting(1, left)];
    expect(heldBack(candidates(5000), 2)).toEqual(new Set());
    expect(heldBack(candidates(2), 2)).toEqual(new Set());
    expect(heldBack(candidates(150), null)).toEqual(new Set());
  });

  it("lets them go after three seconds, however many come", () => {
    expect(heldBack([beginner(0, 3000), beginner(1, 2900), waiting(2, 150)], 2)).toEqual(new Set([1]));
  });
});
