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
  /**
   * Whether a slot's state can be cut after any token: not with a sliding window, nor with a recurrent model. Wrong
   * guesses, too, must be taken back.
   */
  readonly rewinds: boolean;
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
  /** The tokens around a text whose middle is to be filled in; null when the model was not trained for that. */
  readonly infill: { readonly prefix: number; readonly suffix: number; readonly middle: number } | null;
  tokenize(text: string, options: TokenizeOptions): number[];
  piece(token: number): Piece;
  /** The same, but a control token is its text. */
  shownPiece(token: number): Piece;
  /** Tokens that are single bytes which no text can have. */
  readonly bytesOfNoText: readonly number[];
  isMarker(token: number): boolean;
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

/** A grammar that the engine has read; answers can be held to it. */
export interface Grammar {
  readonly text: string;
}

/** From when on an answer must match a grammar, and the text of the answer that belongs to it already. */
export interface Constraint {
  readonly grammar: Grammar;
  readonly already: string;
}

/** Chooses tokens for one request: it keeps the random state and the tokens that penalties look back on. */
export interface Sampler {
  /**
   * Lets the rest of the answer match a grammar. `answer` is the answer's tokens so far. Answers false, and changes
   * nothing, when what has come already does not match.
   */
  constrain(constraint: Constraint, answer: readonly number[]): boolean;
  dispose(): void;
}

export interface TokenProbability {
  readonly token: number;
  /** Natural logarithm. */
  readonly logprob: number;
}

/** What the model thought of a token that was chosen, before any sampling setting. */
export interface Observation {
  readonly logprob: number;
  /** The likeliest tokens, likeliest first. */
  readonly top: readonly TokenProbability[];
}

/** Looks at the model's probabilities whenever a token of one request is chosen. */
export interface Observer {
  /** Of the token that was chosen last. */
  readonly last: Observation | null;
  dispose(): void;
}

/**
 * The part of one step that belongs to one slot: `tokens` go to `position`, and the sampler, if any, chooses the next one.
 * While it chooses just what `guess` says, it goes on choosing in the same step.
 */
export interface StepWork {
  readonly slot: number;
  readonly position: number;
  readonly tokens: readonly number[];
  /** Tokens that may follow; only with a sampler, and only in an engine that rewinds. */
  readonly guess: readonly number[];
  readonly sampler: Sampler | null;
  readonly observer: Observer | null;
}

/** Makes vectors of texts. */
export interface Embedder {
  /** Numbers in a vector. */
  readonly size: number;
  /** Most tokens of one text, those included that the model wants around it. */
  readonly contextLength: number;
  /** A text's tokens with what the model wants around them. */
  prepare(tokens: readonly number[]): number[];
  /** Whether it has texts to do. */
  readonly busy: boolean;
  /** Called when `busy` changes. */
  onChange: (() => void) | null;
  /**
   * The vector of a prepared text, of length 1. One text is computed at a time; those whose turn has not come when
   * their `signal` aborts are not computed, and reject with its reason.
   */
  embed(tokens: readonly number[], signal: AbortSignal): Promise<Float32Array>;
  /** Resolves when all texts that it has are done. */
  idle(): Promise<void>;
}

/** A model in memory with room for several sequences. Only one step may run at a time. */
export interface Engine {
  readonly facts: ModelFacts;
  readonly vocabulary: Vocabulary;
  readonly embedder: Embedder;
  /** Throws a plain `Error` when the text is no grammar in GBNF. */
  readGrammar(text: string): Grammar;
  /** `prompt` is what penalties may look back on; a `grammar` holds from the first token. */
  createSampler(settings: SamplingSettings, prompt: readonly number[], grammar: Grammar | null): Sampler;
  createObserver(top: number): Observer;
  /**
   * Computes all work as one batch. Answers the chosen tokens of each piece of work: none without a sampler, else one
   * and as many more as were guessed right; a wrong guess leaves nothing in its slot. A token of -1 is one that could
   * not be chosen, and the last. Rejects when the library fails; the slots of this step must then be emptied with `keep(slot, 0)`.
   */
  step(work: readonly StepWork[]): Promise<readonly (readonly number[])[]>;
  /** Forgets everything in a slot but its first `length` tokens. Answers how many are really left, which may be 0. */
  keep(slot: number, length: number): number;
  /** Whether `keep` could keep the first `length` tokens of a copy of what the slot holds. */
  canKeep(slot: number, length: number): boolean;
  /** Writes a slot's whole state to a file; answers its bytes. Never while a step runs. */
  saveState(slot: number, path: string): Promise<number>;
  /** Puts a saved state into a slot. Never while a step runs. When it rejects, the slot must be emptied with `keep(slot, 0)`. */
  loadState(slot: number, path: string): Promise<void>;
  /** Computes with so many threads from the next step on. */
  useThreads(threads: number): void;
  dispose(): Promise<void>;
}
