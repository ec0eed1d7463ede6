import type { Observation, Observer, TokenProbability } from "./engine.ts";
import type { NativeContext, NativeSampler } from "./native.ts";

/** More candidates than anybody asks for, so that the chosen token is nearly always among them. */
const leastCandidates = 64;

/**
 * Reads the model's own probabilities beside the sampler that chooses. Fetching those of a whole vocabulary costs
 * milliseconds, so two samplers look at the logits instead: one tells the likeliest token's share of everything, the
 * other how the likeliest tokens compare.
 */
export class LlamaObserver implements Observer {
  readonly #top: number;
  readonly #share: NativeSampler;
  readonly #likeliest: NativeSampler;
  #last: Observation | null = null;

  constructor(top: number, createSampler: () => NativeSampler) {
    this.#top = top;
    this.#share = createSampler();
    this.#share.applyConfig({ temperature: 0, seed: 0 });
    this.#likeliest = createSampler();
    this.#likeliest.applyConfig({ temperature: 1, seed: 0, topK: Math.max(leastCandidates, top) });
  }

  get last(): Observation | null {
    return this.#last;
  }

  /** Looks at the logits that `token` was chosen from. When that fails, there is no `last`. */
  async look(context: NativeContext, logits: number, token: number): Promise<void> {
    this.#last = null;
    const [, , share = 1] = await context.sampleToken(logits, this.#share, false, true);
    const [, flat = []] = await context.sampleToken(logits, this.#likeliest, true, false);
    const highest = Math.log(share);
    const candidates = paired(flat, highest);
    let chosen = candidates.find((candidate) => candidate.token === token);
    if (chosen === undefined) {
      const [, all = []] = await context.sampleToken(logits, this.#share, true, false);
      chosen = paired(all, highest).find((candidate) => candidate.token === token);
    }
    this.#last = { logprob: chosen?.logprob ?? Number.NEGATIVE_INFINITY, top: candidates.slice(0, this.#top) };
  }

  dispose(): void {
    this.#share.dispose();
    this.#likeliest.dispose();
  }
}

/** Tokens and probabilities by turns, as logarithms relative to the first, whose own is `highest`. */
function paired(flat: readonly number[], highest: number): TokenProbability[] {
  const first = flat[1] ?? 1;
  const list: TokenProbability[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2)
    list.push({ token: flat[index] ?? -1, logprob: highest + Math.log((flat[index + 1] ?? 0) / first) });
  return list;
}
