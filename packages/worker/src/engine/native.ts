import type { LlamaContext, LlamaModel } from "node-llama-cpp";

/**
 * The part of the library's native layer that the engine drives itself. The public `controlledEvaluate` makes a new
 * sampler for every token of every sequence (which restarts its random numbers and clears a table of vocabulary size)
 * and copies the whole token history at each step; the layer below it has neither cost. It is not public, so all of
 * it that is used stands here, and `nativeOf` refuses a library in which it looks different. The library's version is
 * pinned exactly for the same reason.
 */
export interface NativeContext {
  initBatch(tokens: number): void;
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitsFor: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  getThreads(): number;
  setThreads(threads: number): void;
  sampleToken(logits: number, sampler: NativeSampler): Promise<number>;
  /**
   * With `probabilities`, also tokens and their probabilities by turns, likeliest first, of all candidates that the
   * sampler's filters leave; with `confidence`, the chosen token's probability among them.
   */
  sampleToken(
    logits: number,
    sampler: NativeSampler,
    probabilities: boolean,
    confidence: boolean,
  ): Promise<[token: number, probabilities: number[] | undefined, confidence: number | undefined]>;
  disposeSequence(sequence: number): void;
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  getSequenceKvCacheMinPosition(sequence: number): number;
  getSequenceKvCacheMaxPosition(sequence: number): number;
  /** Answers the bytes written. `tokens` are kept in the file beside the state. */
  saveSequenceStateToFile(path: string, sequence: number, tokens: Uint32Array): Promise<number>;
  /** Answers the tokens of the file. With room for none of them (0), the state is not read either. */
  loadSequenceStateFromFile(path: string, sequence: number, mostTokens: number): Promise<Uint32Array>;
}

export interface NativeSamplerConfig {
  temperature: number;
  seed: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repeatPenalty?: number;
  repeatPenaltyMaxTokens?: number;
  repeatPenaltyTokens?: Uint32Array;
  repeatPenaltyPresencePenalty?: number;
  repeatPenaltyFrequencyPenalty?: number;
  tokenBiasKeys?: Uint32Array;
  tokenBiasValues?: Float32Array;
  grammarEvaluationState?: NativeGrammarState;
}

/** A grammar's text, found readable. */
export interface NativeGrammar {
  isTextCompatible(text: string): boolean;
}

/** How far an answer has come in a grammar. The library frees it once neither a sampler nor anybody else holds it. */
export type NativeGrammarState = object;

export interface NativeSampler {
  applyConfig(config: NativeSamplerConfig): void;
  dispose(): void;
}

export interface NativeModel {
  tokenize(text: string, markers: boolean): Uint32Array;
  detokenize(tokens: Uint32Array, markers: boolean): string;
  getTokenString(token: number): string | undefined;
  /** Bits of llama.cpp's `llama_token_attr`. */
  getTokenAttributes(token: number): number;
  isEogToken(token: number): boolean;
  getTotalParameters(): number;
}

export interface Native {
  readonly context: NativeContext;
  readonly model: NativeModel;
  createSampler(): NativeSampler;
  /** Throws when the text is no grammar. */
  readGrammar(text: string): NativeGrammar;
  beginGrammar(grammar: NativeGrammar): NativeGrammarState;
  /** Moves on by one token. Answers false, and stays, when the grammar does not allow it. */
  acceptInGrammar(state: NativeGrammarState, token: number): boolean;
}

interface Bindings {
  readonly AddonSampler: (new (model: object) => NativeSampler) & {
    acceptGrammarEvaluationStateToken(state: NativeGrammarState, token: number): void;
    canBeNextTokenForGrammarEvaluationState(state: NativeGrammarState, token: number): boolean;
  };
  readonly AddonGrammar: new (text: string, options: { addonExports: object; rootRuleName: string }) => NativeGrammar;
  readonly AddonGrammarEvaluationState: new (model: object, grammar: NativeGrammar) => NativeGrammarState;
}

function inner(owner: object, name: string, methods: readonly string[]): object {
  const value: unknown = Reflect.get(owner, name);
  if ((typeof value !== "object" && typeof value !== "function") || value === null)
    throw new Error(`node-llama-cpp has no ${name} here`);
  for (const method of methods)
    if (typeof Reflect.get(value, method) !== "function") throw new Error(`node-llama-cpp has no ${name}.${method}`);
  return value;
}

/** Reaches into a loaded model and context. Throws a plain `Error` when the library is not the one that this was written for. */
export function nativeOf(model: LlamaModel, context: LlamaContext): Native {
  const nativeModel = inner(model, "_model", ["tokenize", "detokenize", "getTokenString", "getTokenAttributes"]);
  const nativeContext = inner(context, "_ctx", [
    "initBatch",
    "addToBatch",
    "decodeBatch",
    "getThreads",
    "setThreads",
    "sampleToken",
    "disposeSequence",
    "removeTokenCellsFromSequence",
    "getSequenceKvCacheMinPosition",
    "getSequenceKvCacheMaxPosition",
    "saveSequenceStateToFile",
    "loadSequenceStateFromFile",
  ]);
  const bindings = inner(model.llama, "_bindings", [
    "AddonSampler",
    "AddonGrammar",
    "AddonGrammarEvaluationState",
  ]) as Bindings;
  const { AddonSampler, AddonGrammar, AddonGrammarEvaluationState } = bindings;
  inner(bindings, "AddonSampler", ["acceptGrammarEvaluationStateToken", "canBeNextTokenForGrammarEvaluationState"]);
  return {
    context: nativeContext as NativeContext,
    model: nativeModel as NativeModel,
    createSampler: () => new AddonSampler(nativeModel),
    readGrammar: (text) => new AddonGrammar(text, { addonExports: bindings, rootRuleName: "root" }),
    beginGrammar: (grammar) => new AddonGrammarEvaluationState(nativeModel, grammar),
    acceptInGrammar(state, token) {
      if (!AddonSampler.canBeNextTokenForGrammarEvaluationState(state, token)) return false;
      AddonSampler.acceptGrammarEvaluationStateToken(state, token);
      return true;
    },
  };
}
