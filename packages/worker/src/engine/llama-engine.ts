import type { LlamaContext, LlamaModel } from "node-llama-cpp";
import type { Engine, ModelFacts, Sampler, SamplingSettings, StepWork, Vocabulary } from "./engine.ts";
import { nativeOf, type Native, type NativeSampler } from "./native.ts";
import { samplerConfig } from "./sampler-config.ts";
import { createVocabulary } from "./vocabulary.ts";

class LlamaSampler implements Sampler {
  readonly native: NativeSampler;

  constructor(native: NativeSampler) {
    this.native = native;
  }

  dispose(): void {
    this.native.dispose();
  }
}

const noLogits = new Uint32Array(0);

/** llama.cpp behind the engine interface: one context, one sequence per slot. */
export class LlamaEngine implements Engine {
  readonly facts: ModelFacts;
  readonly vocabulary: Vocabulary;
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #native: Native;

  constructor(model: LlamaModel, context: LlamaContext, facts: Omit<ModelFacts, "parameters">) {
    this.#model = model;
    this.#context = context;
    this.#native = nativeOf(model, context);
    this.vocabulary = createVocabulary(model, this.#native.model);
    this.facts = { ...facts, parameters: this.#native.model.getTotalParameters() };
  }

  createSampler(settings: SamplingSettings, prompt: readonly number[]): Sampler {
    const sampler = this.#native.createSampler();
    sampler.applyConfig(samplerConfig(settings, prompt, this.facts.contextLength));
    return new LlamaSampler(sampler);
  }

  async step(work: readonly StepWork[]): Promise<readonly (number | null)[]> {
    const { context } = this.#native;
    context.initBatch(work.reduce((sum, { tokens }) => sum + tokens.length, 0));
    const logits = new Map<number, number | undefined>();
    // llama.cpp computes neighbouring sequences together only when they come in ascending order; at each other place
    // it cuts the batch and goes through all weights once more.
    for (const { slot, position, tokens, sampler } of work.toSorted((one, other) => one.slot - other.slot)) {
      const wanted = sampler === null ? noLogits : Uint32Array.of(tokens.length - 1);
      logits.set(slot, context.addToBatch(slot, position, Uint32Array.from(tokens), wanted)[0]);
    }
    await context.decodeBatch();
    return Promise.all(
      work.map(({ slot, sampler }) => {
        const logit = logits.get(slot);
        if (!(sampler instanceof LlamaSampler) || logit === undefined) return null;
        return context.sampleToken(logit, sampler.native);
      }),
    );
  }

  keep(slot: number, length: number): number {
    const { context } = this.#native;
    // A conversation that simply goes on needs nothing erased, which even a recurrent model can do.
    if (length > 0 && context.getSequenceKvCacheMaxPosition(slot) === length - 1) return length;
    // Sliding-window models have dropped the beginning, and recurrent ones cannot forget only the end.
    const partly =
      length > 0 &&
      Math.max(0, context.getSequenceKvCacheMinPosition(slot)) < length &&
      this.#windowStillHolds(slot, length) &&
      context.removeTokenCellsFromSequence(slot, length, -1);
    if (partly) return length;
    context.disposeSequence(slot);
    return 0;
  }

  /** The next token looks back one window from `length`; all of that must still be in the cache. */
  #windowStillHolds(slot: number, length: number): boolean {
    const window = this.#model.fileInsights.swaSize;
    if (window === undefined || window <= 0) return true;
    return this.#native.context.getSequenceKvCacheMinPosition(slot) <= Math.max(0, length - window);
  }

  async dispose(): Promise<void> {
    await this.#context.dispose();
    await this.#model.dispose();
  }
}
