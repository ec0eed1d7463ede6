/**
 * How the answers of a step are computed that go on by one token each: all in one pass through the weights, in passes of
 * eight with the rest alone, or each in a pass of its own.
 */
export type Layout = "together" | "eights" | "alone";

const groupSize = 8;
/** Weight of the newest measurement. */
const weight = 0.2;
/** So often each layout is tried before they are compared: the first time is often slow. */
const firstTries = 3;
/** So often a layout that lost is measured again: contexts have grown since, or other work was to blame. */
const againEvery = 100;
/** One that takes, or would take, so many times the best is tried no more than once in a long while. */
const hopeless = 1.5;
const hopelessAgainEvery = 2000;
/** So many times the usual is taken for no more than that: something else held up the step. */
const outlier = 2;

interface Tried {
  ms: number;
  times: number;
  lastAt: number;
}

/**
 * What the layouts cost on this machine with this model. One pass for all reads the weights once, which is what counts
 * on most machines; but llama.cpp's kernel for a few columns can take longer than as many passes of its kernel for one
 * (on an AMD EPYC with AVX-512, 24 ms for two columns and 8 ms for one). Only measuring tells.
 */
export class LayoutCost {
  readonly #byCount = new Map<number, Map<Layout, Tried>>();
  #steps = 0;

  /** The layout for a step with so many answers. Others are only tried in steps that will be measured. */
  choose(count: number, willBeMeasured = true): Layout {
    const tried = [...this.#of(count)];
    if (count < 2) return "together";
    this.#steps++;
    const known = tried.filter(([, { times }]) => times > 0).sort(([, one], [, other]) => one.ms - other.ms);
    const [best] = known;
    if (best === undefined) return "together";
    if (!willBeMeasured) return best[0];
    const limitMs = hopeless * best[1].ms;
    for (const [layout, { ms, times, lastAt }] of tried) {
      const takes = times > 0 ? ms : this.#expected(layout, count);
      const isHopeless = takes !== null && takes >= limitMs;
      const idle = this.#steps - lastAt;
      if (isHopeless ? idle >= hopelessAgainEvery : times < firstTries || idle >= againEvery) return layout;
    }
    return best[0];
  }

  /** A step of nothing but so many answers took this long. */
  measured(count: number, layout: Layout, ms: number): void {
    const tried = this.#of(count).get(layout);
    if (tried === undefined) return;
    if (tried.times === 0) tried.ms = ms;
    else if (tried.times < firstTries) tried.ms = Math.min(tried.ms, ms);
    else tried.ms += (Math.min(ms, outlier * tried.ms) - tried.ms) * weight;
    tried.times++;
    tried.lastAt = this.#steps;
  }

  /** What a layout that was not tried yet would take by what smaller groups took; null when that is not known. */
  #expected(layout: Layout, count: number): number | null {
    const one = this.#together(1);
    if (layout === "together" || one === null) return null;
    if (layout === "alone") return count * one;
    const group = this.#together(groupSize);
    return group === null ? null : Math.floor(count / groupSize) * group + (count % groupSize) * one;
  }

  #together(count: number): number | null {
    const tried = this.#byCount.get(count)?.get("together");
    return tried === undefined || tried.times === 0 ? null : tried.ms;
  }

  #of(count: number): Map<Layout, Tried> {
    const known = this.#byCount.get(count);
    if (known !== undefined) return known;
    const layouts: Layout[] =
      count < 2 ? ["together"] : count <= groupSize ? ["together", "alone"] : ["together", "eights", "alone"];
    const fresh = new Map(layouts.map((layout) => [layout, { ms: 0, times: 0, lastAt: 0 }]));
    this.#byCount.set(count, fresh);
    return fresh;
  }
}

/** What a step computes in one slot. */
export interface Piece {
  readonly slot: number;
  readonly tokens: readonly number[];
  readonly guess: readonly number[];
}

export const isOne = ({ tokens, guess }: Piece): boolean => tokens.length === 1 && guess.length === 0;

/**
 * Puts the pieces of a step into the order in which llama.cpp computes them as they are laid out. It takes those together
 * that follow in ascending order without a gap, from wherever they stand. So groups come in descending order, and within
 * a group slots ascend. A prompt is no part of a group of single tokens, which would be cut off from it; but where it
 * stands between answers that are to be computed together, that is cheaper than two groups of them.
 */
export function arranged<T extends Piece>(pieces: readonly T[], layout: Layout): T[] {
  const ascending = pieces.toSorted((one, other) => one.slot - other.slot);
  const grouped = inGroups(ascending, layout).toReversed().flat();
  if (layout !== "together") return grouped;
  return passes(ascending) < passes(grouped) ? ascending : grouped;
}

/** Slots in ascending order, cut where one is missing, where prompts and single tokens meet, and as the layout wants. */
function inGroups<T extends Piece>(ascending: readonly T[], layout: Layout): (readonly T[])[] {
  const runs: T[][] = [];
  for (const piece of ascending) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    const goesOn = before !== undefined && before.slot + 1 === piece.slot && isOne(before) === isOne(piece);
    if (goesOn) run?.push(piece);
    else runs.push([piece]);
  }
  return runs.flatMap((run) => {
    const [first] = run;
    return first !== undefined && isOne(first) ? split(run, layout) : [run];
  });
}

function split<T>(run: readonly T[], layout: Layout): (readonly T[])[] {
  if (layout === "together") return [run];
  const whole = layout === "alone" ? 0 : run.length - (run.length % groupSize);
  const groups: (readonly T[])[] = [];
  for (let at = 0; at < whole; at += groupSize) groups.push(run.slice(at, at + groupSize));
  for (const single of run.slice(whole)) groups.push([single]);
  return groups;
}

/**
 * How often llama.cpp goes through the weights for a batch in this order (`llama_batch_allocr::split_equal`): each time
 * with the slots that follow one another, and as much of each as the shortest of them has left.
 */
export function passes(batch: readonly Piece[]): number {
  let left = batch.map(({ slot, tokens, guess }) => ({ slot, length: tokens.length + guess.length }));
  let count = 0;
  while (left.length > 0) {
    const pass: { slot: number; length: number }[] = [];
    for (const one of left) {
      const last = pass.at(-1);
      if (last === undefined || one.slot === last.slot + 1) pass.push(one);
    }
    const length = Math.min(...pass.map((one) => one.length));
    for (const one of pass) one.length -= length;
    left = left.filter((one) => one.length > 0);
    count++;
  }
  return count;
}
