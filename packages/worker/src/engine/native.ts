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
  sampleToken(logits: number, sampler: NativeSampler): Promise<number>;
  disposeSequence(sequence: number): void;
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  getSequenceKvCacheMinPosition(sequence: number): number;
  getSequenceKvCacheMaxPosition(sequence: number): number;
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
}

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
}

function inner(owner: object, name: string, methods: readonly string[]): object {
  const value: unknown = Reflect.get(owner, name);
  if (typeof value !== "object" || value === null) throw new Error(`node-llama-cpp has no ${name} here`);
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
    "sampleToken",
    "disposeSequence",
    "removeTokenCellsFromSequence",
    "getSequenceKvCacheMinPosition",
    "getSequenceKvCacheMaxPosition",
  ]);
  const bindings = inner(model.llama, "_bindings", ["AddonSampler"]);
  const NativeSamplerClass = Reflect.get(bindings, "AddonSampler") as new (model: object) => NativeSampler;
  return {
    context: nativeContext as NativeContext,
    model: nativeModel as NativeModel,
    createSampler: () => new NativeSamplerClass(nativeModel),
  };
}
