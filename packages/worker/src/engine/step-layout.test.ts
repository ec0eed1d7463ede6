import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arranged, LayoutCost, passes, type Layout } from "./step-layout.ts";

const one = (slot: number) => ({ slot, tokens: [7], guess: [] });
const prompt = (slot: number) => ({ slot, tokens: [7, 8, 9], guess: [] });
const order = (pieces: readonly ReturnType<typeof one>[], layout: Layout) =>
  arranged(pieces, layout).map(({ slot }) => slot);
const upTo = (count: number) => Array.from({ length: count }, (_, slot) => one(slot));

/** What llama.cpp would compute together, of pieces of one token each. */
function groups(slots: readonly number[]): number[][] {
  const left = [...slots];
  const result: number[][] = [];
  while (left.length > 0) {
    const pass: number[] = [];
    for (let at = 0; at < left.length;) {
      const slot = left[at];
      const last = pass.at(-1);
      if (slot !== undefined && (last === undefined || slot === last + 1)) pass.push(...left.splice(at, 1));
      else at++;
    }
    result.push(pass);
  }
  return result;
}

describe("the order of a step", () => {
  it("is one pass for all that are to be computed together, however they came", () => {
    expect(groups(order([one(2), one(0), one(1)], "together"))).toEqual([[0, 1, 2]]);
  });

  it("is a pass for each that is to be computed alone", () => {
    expect(groups(order(upTo(4), "alone"))).toEqual([[3], [2], [1], [0]]);
  });

  it("is passes of eight, and the rest alone", () => {
    expect(groups(order(upTo(18), "eights"))).toEqual([
      [17],
      [16],
      [8, 9, 10, 11, 12, 13, 14, 15],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ]);
  });

  it("keeps prompts and answers apart that have neighbouring slots, and prompts together", () => {
    const pieces = [one(0), one(1), prompt(2), prompt(3), one(6)];
    expect(groups(order(pieces, "together"))).toEqual([[6], [2, 3], [0, 1]]);
    expect(groups(order(pieces, "alone"))).toEqual([[6], [2, 3], [1], [0]]);
  });

  it("lets a prompt between answers begin with them, which is a pass less", () => {
    const pieces = [...upTo(3), prompt(3), ...[4, 5, 6, 7].map(one)];
    expect(order(pieces, "together")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(passes(arranged(pieces, "together"))).toBe(2);
    // Those that are computed alone are so with a prompt in between, too.
    expect(passes(arranged(pieces, "alone"))).toBe(8);
  });

  it("never takes more passes together than in plain order", () => {
    const piece = fc.record({ length: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })), here: fc.boolean() });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (all) => {
        const pieces = all.flatMap(({ length, here }, slot) =>
          here ? [{ slot, tokens: Array<number>(length).fill(7), guess: [] }] : [],
        );
        const best = arranged(pieces, "together");
        expect(best.toSorted((a, b) => a.slot - b.slot)).toEqual(pieces);
        expect(passes(best)).toBeLessThanOrEqual(passes(pieces));
      }),
    );
  });
});

describe("the layout of a step", () => {
  /** Runs so many steps on a machine where a layout takes so long, and answers those that were chosen. */
  function run(cost: LayoutCost, count: number, ms: Partial<Record<Layout, number>>, steps: number): Layout[] {
    return Array.from({ length: steps }, () => {
      const layout = cost.choose(count);
      cost.measured(count, layout, ms[layout] ?? Number.NaN);
      return layout;
    });
  }

  it("is what took least time, for each number of answers by itself", () => {
    const cost = new LayoutCost();
    expect(run(cost, 2, { together: 24, alone: 16 }, 20).slice(-5)).toEqual(Array(5).fill("alone"));
    expect(run(cost, 8, { together: 49, alone: 66 }, 20).slice(-5)).toEqual(Array(5).fill("together"));
    expect(run(cost, 9, { together: 70, eights: 57, alone: 74 }, 20).slice(-5)).toEqual(Array(5).fill("eights"));
  });

  it("is no question for one", () => {
    expect(new Set(run(new LayoutCost(), 1, { together: 8 }, 10))).toEqual(new Set(["together"]));
  });

  it("is measured again now and then, and changes when the machine does", () => {
    const cost = new LayoutCost();
    run(cost, 4, { together: 40, alone: 33 }, 20);
    const steady = run(cost, 4, { together: 40, alone: 33 }, 500);
    expect(steady.filter((layout) => layout === "together").length).toBeGreaterThan(1);
    expect(steady.filter((layout) => layout === "together").length).toBeLessThan(10);
    expect(run(cost, 4, { together: 40, alone: 60 }, 200).at(-1)).toBe("together");
  });

  it("is not tried in steps that are not measured", () => {
    const cost = new LayoutCost();
    run(cost, 4, { together: 40 }, 1);
    expect(Array.from({ length: 200 }, () => cost.choose(4, false))).not.toContain("alone");
    run(cost, 4, { together: 40, alone: 33 }, 20);
    expect(cost.choose(4, false)).toBe("alone");
  });

  it("is hardly tried where it took much longer", () => {
    const layouts = run(new LayoutCost(), 4, { together: 40, alone: 100 }, 1000);
    expect(layouts.filter((layout) => layout === "alone")).toHaveLength(1);
  });

  it("is not even tried where the steps of one answer say that it takes much longer", () => {
    const cost = new LayoutCost();
    run(cost, 1, { together: 200 }, 3);
    expect(run(cost, 8, { together: 250 }, 500)).not.toContain("alone");
    expect(run(cost, 12, { together: 300 }, 500)).not.toContain("eights");
  });

  it("comes back to what is best after a step that something else held up, however long", () => {
    const cost = new LayoutCost();
    const ms = { together: 49, alone: 66 };
    run(cost, 8, ms, 50);
    for (let slow = 0; slow < 3; slow++) cost.measured(8, "together", 6000);
    expect(run(cost, 8, ms, 300).at(-1)).toBe("together");
  });

  it("comes back after a long time in which it was much slower", () => {
    const cost = new LayoutCost();
    run(cost, 2, { together: 24, alone: 16 }, 50);
    run(cost, 2, { together: 24, alone: 128 }, 300);
    expect(run(cost, 2, { together: 24, alone: 16 }, 4000).at(-1)).toBe("alone");
  });
});
