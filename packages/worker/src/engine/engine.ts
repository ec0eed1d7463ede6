import type { Backend } from "@rbee/contract";

/** What is known about a loaded model; a fact that the file does not tell is null. */
export interface ModelFacts {
  readonly backend: Backend;
  readonly device: string;
  readonly slots: number;
  /** Tokens per slot. */
  readonly contextLength: number;
  readonly trainedContextLength: number;
  readonly parameters: number | null;
  readonly sizeBytes: number;
  /** Most tokens that one step takes, all slots together. */
  readonly batchSize: number;
  readonly chatTemplate: string | null;
  /** The version of the library that computes, for `system_fingerprint`. */
  readonly release: string;
}

/** What one token stands for. `text` is null when the bytes alone are no whole UTF-8 characters. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly text: string | null;
}

export interface TokenizeOptions {
  /** Whether the texts of control tokens become these tokens. False for anything that a person wrote. */
  readonly markers: boolean;
  /** True when the text follows other text, so that no leading space may be added. */
  readonly continued: boolean;
}

export interface Vocabulary {
  readonly size: number;
  /** Texts of the control tokens, such as `<|im_end|>`. */
  readonly markers: readonly string[];
  readonly bosToken: number | null;
  readonly bosText: string;
  readonly eosText: string;
  /** Whether the model was trained with a beginning-of-sequence token before every prompt. */
  readonly prependsBos: boolean;
  tokenize(text: string, options: TokenizeOptions): number[];
  piece(token: number): Piece;
  /** Whether the model ends its answer with this token. */
  endsAnswer(token: number): boolean;
}

export interface SamplingSettings {
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** null switches a filter off. */
  readonly topP: number | null;
  readonly topK: number | null;
  readonly minP: number | null;
  /** 32 bits, unsigned. */
  readonly seed: number;
  /** 1 is none. */
  readonly repeatPenalty: number;
  /** 0 is none. */
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Added to the logits, by token. */
  readonly logitBias: ReadonlyMap<number, number>;
}

/** Chooses tokens for one request: it keeps the random state and the tokens that penalties look back on. */
export interface Sampler {
  dispose(): void;
}

/** The part of one step that belongs to one slot: `tokens` go to `position`, and the sampler, if any, chooses the next one. */
export interface StepWork {
  readonly slot: number;
  readonly position: number;
  readonly tokens: readonly number[];
  readonly sampler: Sampler | null;
}

/** A model in memory with room for several sequences. Only one step may run at a time. */
export interface Engine {
  readonly facts: ModelFacts;
  readonly vocabulary: Vocabulary;
  /** `prompt` is what penalties may look back on. */
  createSampler(settings: SamplingSettings, prompt: readonly number[]): Sampler;
  /**
   * Computes all work as one batch. Answers one token per piece of work that has a sampler, null for the others.
   * Rejects when the library fails; the slots of this step must then be emptied with `keep(slot, 0)`.
   */
  step(work: readonly StepWork[]): Promise<readonly (number | null)[]>;
  /** Forgets everything in a slot but its first `length` tokens. Answers how many are really left, which may be 0. */
  keep(slot: number, length: number): number;
  dispose(): Promise<void>;
}
