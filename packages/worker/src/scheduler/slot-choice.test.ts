import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseSlot, commonPrefix, type IdleSlot } from "./slot-choice.ts";

const slot = (id: number, tokens: number[], lastUsed = id): IdleSlot => ({ id, tokens, lastUsed });

describe("chooseSlot", () => {
  it("takes the slot that covers most of the prompt", () => {
    const idle = [slot(0, [1, 2]), slot(1, [1, 2, 3, 9]), slot(2, [7])];
    expect(chooseSlot(idle, [1, 2, 3, 4])).toEqual({ slot: 1, reused: 3 });
  });

  it("never reuses the last token of the prompt", () => {
    expect(chooseSlot([slot(0, [1, 2, 3])], [1, 2, 3])).toEqual({ slot: 0, reused: 2 });
  });

  it("prefers an empty slot to throwing a state away for nothing", () => {
    expect(chooseSlot([slot(0, [5, 6]), slot(1, [])], [1, 2])).toEqual({ slot: 1, reused: 0 });
  });

  it("among equals takes the one used longest ago", () => {
    expect(chooseSlot([slot(0, [5], 9), slot(1, [6], 3)], [1, 2])).toEqual({ slot: 1, reused: 0 });
  });

  it("keeps a conversation that shares only its first words when another slot is free", () => {
    const conversation = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(chooseSlot([slot(0, conversation), slot(1, [])], [1, 2, 9, 9, 9])).toEqual({ slot: 1, reused: 0 });
  });

  it("for a new conversation takes a slot next to busy ones, so that they are computed together", () => {
    const idle = [slot(0, [5], 1), slot(3, [6], 2), slot(6, [7], 3)];
    expect(chooseSlot(idle, [1, 2], [2, 4])).toEqual({ slot: 3, reused: 0 });
    expect(chooseSlot(idle, [1, 2], [7])).toEqual({ slot: 6, reused: 0 });
  });

  it("has nothing to choose when all slots are busy", () => {
    expect(chooseSlot([], [1])).toBeNull();
  });

  it("never leaves a slot aside that would have spared half of the prompt", () => {
    const tokens = fc.array(fc.nat(2), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(tokens, { minLength: 1, maxLength: 6 }), tokens, (states, prompt) => {
        const choice = chooseSlot(
          states.map((state, id) => slot(id, state)),
          prompt,
        );
        const most = Math.max(...states.map((state) => commonPrefix(state, prompt)));
        const best = Math.min(most, Math.max(0, prompt.length - 1));
        if (2 * best >= prompt.length) expect(choice?.reused).toBe(best);
      }),
    );
  });
});
