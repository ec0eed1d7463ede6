import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planStep } from "./step-plan.ts";

const decoding = (slot: number) => ({ slot, promptLeft: 0 });
const prompt = (slot: number, promptLeft: number) => ({ slot, promptLeft });

describe("planStep", () => {
  it("gives every running answer its token, whatever else is to do", () => {
    const shares = planStep([prompt(0, 5000), decoding(1), decoding(2)], { batchSize: 512, prefillBudget: 128 });
    expect(shares).toEqual([
      { slot: 0, tokens: 128 },
      { slot: 1, tokens: 1 },
      { slot: 2, tokens: 1 },
    ]);
  });

  it("finishes a short prompt beside a long one, which still moves on", () => {
    const shares = planStep([prompt(0, 5000), prompt(1, 20)], { batchSize: 512, prefillBudget: 128 });
    expect(shares).toEqual([
      { slot: 0, tokens: 108 },
      { slot: 1, tokens: 20 },
    ]);
  });

  it("does not let short prompts starve the oldest", () => {
    const shares = planStep([prompt(0, 5000), prompt(1, 100), prompt(2, 100)], { batchSize: 512, prefillBudget: 100 });
    expect(shares).toEqual([
      { slot: 0, tokens: 25 },
      { slot: 1, tokens: 75 },
    ]);
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
        (all, size, budget) => {
          const shares = planStep(all, { batchSize: size, prefillBudget: budget });
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
