import type { LlamaContext, LlamaModel } from "node-llama-cpp";
import { LlamaEmbedder } from "./embedder.ts";
import type {
  Constraint,
  Embedder,
  Engine,
  Grammar,
  ModelFacts,
  Observer,
  Sampler,
  SamplingSettings,
  StepWork,
  Vocabulary,
} from "./engine.ts";
import {
  nativeOf,
  type Native,
  type NativeGrammar,
  type NativeGrammarState,
  type NativeSampler,
  type NativeSamplerConfig,
} from "./native.ts";
import { LlamaObserver } from "./observer.ts";
import { samplerConfig } from "./sampler-config.ts";
import { arranged, isOne, LayoutCost } from "./step-layout.ts";
import { createVocabulary } from "./vocabulary.ts";

class LlamaGrammar implements Grammar {
  readonly text: string;
  readonly native: NativeGrammar;

  constructor(text: string, native: NativeGrammar) {
    this.text = text;
    this.native = native;
  }
}

class LlamaSampler implements Sampler {
  readonly native: NativeSampler;
  readonly #under: (constraint: Constraint) => NativeSamplerConfig | null;

  constructor(
    native: NativeSampler,
    config: NativeSamplerConfig,
    under: (constraint: Constraint) => NativeSamplerConfig | null,
  ) {
    this.native = native;
    this.#under = under;
    native.applyConfig(config);
  }

  constrain(constraint: Constraint, answer: readonly number[]): boolean {
    const config = this.#under(constraint);
    if (config === null) return false;
    const { repeatPenaltyTokens: prompt } = config;
    this.native.applyConfig({
      ...config,
      // The library forgets what penalties looked back on unless it is told all of it.
      ...(prompt === undefined ? {} : { repeatPenaltyTokens: Uint32Array.from([...prompt, ...answer]) }),
    });
    return true;
  }

  dispose(): void {
    this.native.dispose();
  }
}

/** Whether the library's calls are done one after the other, in the order in which they were made. */
const oneThread = process.env["UV_THREADPOOL_SIZE"] === "1";
const noTokens = new Uint32Array(0);
const noLogits = new Uint32Array(0);
/** Grammars that are kept read: an app asks for the same few again and again. */
const mostGrammars = 32;

/** llama.cpp behind the engine interface: one context, one sequence per slot. */
export class LlamaEngine implements Engine {
  readonly facts: ModelFacts;
  readonly vocabulary: Vocabulary;
  readonly embedder: Embedder;
  readonly #embedder: LlamaEmbedder;
  readonly #grammars = new Map<string, LlamaGrammar>();
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #native: Native;
  /** Null on a GPU, where one pass for all is always best. */
  #layoutCost: LayoutCost | null;
  #threads: number;

  constructor(model: LlamaModel, context: LlamaContext, facts: Omit<ModelFacts, "parameters">, threads: number) {
    this.#model = model;
    this.#context = context;
    this.#threads = threads;
    this.#layoutCost = facts.backend === "cpu" ? new LayoutCost() : null;
    this.#native = nativeOf(model, context);
    this.vocabulary = createVocabulary(model, this.#native.model);
    this.facts = { ...facts, parameters: this.#native.model.getTotalParameters() };
    this.#embedder = new LlamaEmbedder(model, { contextLength: facts.contextLength, threads });
    this.embedder = this.#embedder;
  }

  readGrammar(text: string): Grammar {
    const known = this.#grammars.get(text);
    if (known !== undefined) {
      // The one used longest ago is the first in the map.
      this.#grammars.delete(text);
      this.#grammars.set(text, known);
      return known;
    }
    const grammar = new LlamaGrammar(text, this.#native.readGrammar(text));
    this.#grammars.set(text, grammar);
    for (const oldest of this.#grammars.keys()) {
      if (this.#grammars.size <= mostGrammars) break;
      this.#grammars.delete(oldest);
    }
    return grammar;
  }

  createSampler(settings: SamplingSettings, prompt: readonly number[], grammar: Grammar | null): Sampler {
    const config = samplerConfig(settings, prompt, this.facts.contextLength);
    if (grammar !== null) {
      const state = this.#beginGrammar({ grammar, already: "" });
      if (state !== null) Object.assign(config, this.#withGrammar(config, state));
    }
    return new LlamaSampler(this.#native.createSampler(), config, (constraint) => {
      const state = this.#beginGrammar(constraint);
      return state === null ? null : this.#withGrammar(config, state);
    });
  }

  /** A grammar sees characters, so no byte may come that is part of none. */
  #withGrammar(config: NativeSamplerConfig, grammarEvaluationState: NativeGrammarState): NativeSamplerConfig {
    const never = this.vocabulary.bytesOfNoText;
    const [keys, values] = [config.tokenBiasKeys ?? [], config.tokenBiasValues ?? []];
    return {
      ...config,
      grammarEvaluationState,
      ...(never.length === 0
        ? {}
        : {
            tokenBiasKeys: Uint32Array.from([...keys, ...never]),
            tokenBiasValues: Float32Array.from([...values, ...never.map(() => Number.NEGATIVE_INFINITY)]),
          }),
    };
  }

  createObserver(top: number): Observer {
    return new LlamaObserver(top, () => this.#native.createSampler());
  }

  #beginGrammar({ grammar, already }: Constraint): NativeGrammarState | null {
    if (!(grammar instanceof LlamaGrammar)) return null;
    const state = this.#native.beginGrammar(grammar.native);
    const tokens = this.vocabulary.tokenize(already, { markers: true, continued: true });
    return tokens.every((token) => this.#native.acceptInGrammar(state, token)) ? state : null;
  }

  async step(work: readonly StepWork[]): Promise<readonly (readonly number[])[]> {
    const { context } = this.#native;
    // Between steps, since the library reads it while it computes.
    if (context.getThreads() !== this.#threads) context.setThreads(this.#threads);
    context.initBatch(work.reduce((sum, { tokens, guess }) => sum + tokens.length + guess.length, 0));
    const logits = new Map<number, Uint32Array>();
    const answers = work.filter(isOne).length;
    // What is beside prompts says nothing about answers.
    const onlyAnswers = answers === work.length;
    const layout = this.#layoutCost?.choose(answers, onlyAnswers) ?? "together";
    for (const { slot, position, tokens, guess, sampler } of arranged(work, layout)) {
      const last = tokens.length - 1;
      const wanted = sampler === null ? noLogits : Uint32Array.from({ length: 1 + guess.length }, (_, n) => last + n);
      logits.set(slot, context.addToBatch(slot, position, Uint32Array.from([...tokens, ...guess]), wanted));
    }
    const began = performance.now();
    let tookMs = Number.NaN;
    const decoded = context.decodeBatch().then(() => {
      tookMs = performance.now() - began;
    });
    if (!oneThread) await decoded;
    // With a single thread below, what is asked for now is done right after the batch, without a way through here.
    const chosen: Promise<number[]>[] = [];
    for (const piece of work) {
      const choosing = this.#chosen(piece, logits.get(piece.slot) ?? noLogits);
      chosen.push(choosing);
      // The library brings its results into the batch's order when the first of them is looked at. Several threads that
      // do so at the same time would mix the answers up.
      if (!oneThread) await Promise.allSettled([choosing]);
    }
    // Nobody may touch a slot while anything of this step is under way, so a failure waits for the rest.
    await Promise.allSettled([decoded, ...chosen]);
    await decoded;
    if (onlyAnswers) this.#layoutCost?.measured(answers, layout, tookMs);
    return Promise.all(chosen);
  }

  /** Chooses tokens as long as they are those that were guessed, and forgets the guesses after that. */
  async #chosen(
    { slot, position, tokens, guess, sampler, observer }: StepWork,
    logits: Uint32Array,
  ): Promise<number[]> {
    const chosen: number[] = [];
    if (!(sampler instanceof LlamaSampler)) return chosen;
    const { context } = this.#native;
    for (const logit of logits) {
      // What one sampler cannot choose, as a grammar in a dead end, must not fail the others of this step.
      const choice = context.sampleToken(logit, sampler.native).catch(() => -1);
      const token = await (observer instanceof LlamaObserver ? this.#observed(choice, logit, observer) : choice);
      chosen.push(token);
      if (token !== guess[chosen.length - 1]) break;
    }
    const right = chosen.length - 1;
    if (right < guess.length && !context.removeTokenCellsFromSequence(slot, position + tokens.length + right, -1))
      throw new Error(`slot ${slot} keeps what was guessed wrongly`);
    return chosen;
  }

  async #observed(choice: Promise<number>, logit: number, observer: LlamaObserver): Promise<number> {
    const token = await choice;
    // A token without its probabilities is still a token; the others of this step must not fail with it.
    if (token >= 0) await observer.look(this.#native.context, logit, token).catch(() => {});
    return token;
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

  canKeep(slot: number, length: number): boolean {
    const { context } = this.#native;
    if (length <= 0 || context.getSequenceKvCacheMaxPosition(slot) === length - 1) return true;
    const { isRecurrent, isHybrid } = this.#model.fileInsights;
    return (
      !isRecurrent &&
      !isHybrid &&
      Math.max(0, context.getSequenceKvCacheMinPosition(slot)) < length &&
      this.#isWithinWindow(slot)
    );
  }

  /** Beyond one window only the last one is saved, and nothing earlier can be cut to. */
  #isWithinWindow(slot: number): boolean {
    const window = this.#model.fileInsights.swaSize;
    return window === undefined || window <= 0 || this.#native.context.getSequenceKvCacheMaxPosition(slot) < window;
  }

  saveState(slot: number, path: string): Promise<number> {
    return this.#native.context.saveSequenceStateToFile(path, slot, noTokens);
  }

  async loadState(slot: number, path: string): Promise<void> {
    // No tokens are in the file; but the library reads the state only when there is room for some.
    await this.#native.context.loadSequenceStateFromFile(path, slot, this.facts.contextLength);
  }

  /** The next token looks back one window from `length`; all of that must still be in the cache. */
  #windowStillHolds(slot: number, length: number): boolean {
    const window = this.#model.fileInsights.swaSize;
    if (window === undefined || window <= 0) return true;
    return this.#native.context.getSequenceKvCacheMinPosition(slot) <= Math.max(0, length - window);
  }

  useThreads(threads: number): void {
    if (threads === this.#threads) return;
    this.#threads = threads;
    // What was measured holds for other threads no more.
    if (this.#layoutCost !== null) this.#layoutCost = new LayoutCost();
  }

  async dispose(): Promise<void> {
    await this.#embedder.dispose();
    await this.#context.dispose();
    await this.#model.dispose();
  }
}
