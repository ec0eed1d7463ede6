import { RbeeError } from "@rbee/contract";
import {
  InsufficientMemoryError,
  LlamaVocabularyType,
  type LlamaEmbeddingContext,
  type LlamaModel,
} from "node-llama-cpp";
import type { Embedder } from "./engine.ts";

/** Tokens of the smallest context, so that short texts share one. */
const smallestContext = 512;
/** An embedding context that nobody uses gives its memory back after this long, in milliseconds. */
const idleMs = 60_000;

/**
 * Embeds with a context of its own beside that of the chats. It is made with the first text, grows when a longer one
 * comes, and goes when nobody has asked for a while.
 */
export class LlamaEmbedder implements Embedder {
  readonly size: number;
  readonly contextLength: number;
  readonly #model: LlamaModel;
  readonly #threads: number;
  readonly #before: number | null;
  readonly #after: number | null;
  #context: { readonly inner: LlamaEmbeddingContext; readonly tokens: number } | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  onChange: (() => void) | null = null;
  #idle: NodeJS.Timeout | null = null;

  constructor(model: LlamaModel, options: { contextLength: number; threads: number }) {
    this.#model = model;
    this.#threads = options.threads;
    this.size = model.embeddingVectorSize;
    this.contextLength = Math.min(options.contextLength, model.trainContextSize);
    const { tokens, vocabularyType } = model;
    const pairs = vocabularyType === LlamaVocabularyType.wpm;
    this.#before = pairs || tokens.shouldPrependBosToken ? tokens.bos : null;
    this.#after = pairs ? tokens.sep : tokens.shouldAppendEosToken ? tokens.eos : null;
  }

  prepare(tokens: readonly number[]): number[] {
    const [before, after] = [this.#before, this.#after];
    return [
      ...(before !== null && tokens[0] !== before ? [before] : []),
      ...tokens,
      ...(after !== null && tokens.at(-1) !== after ? [after] : []),
    ];
  }

  get busy(): boolean {
    return this.#waiting > 0;
  }

  embed(tokens: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    this.#count(1);
    const result = this.#last.then(() => {
      signal.throwIfAborted();
      return this.#embedNow(tokens);
    });
    this.#last = result.then(
      () => {
        this.#count(-1);
      },
      () => {
        this.#count(-1);
      },
    );
    return result;
  }

  async idle(): Promise<void> {
    await this.#last;
  }

  #count(change: number): void {
    const before = this.busy;
    this.#waiting += change;
    if (this.busy !== before) this.onChange?.();
  }

  async dispose(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#last = this.#last.then(() => this.#close());
    await this.#last;
  }

  async #embedNow(tokens: readonly number[]): Promise<Float32Array> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    try {
      const context = await this.#contextFor(tokens.length);
      const { vector } = await context.getEmbeddingFor([...tokens] as Parameters<typeof context.getEmbeddingFor>[0]);
      return normalised(vector);
    } finally {
      this.#idle = setTimeout(() => {
        this.#last = this.#last.then(() => this.#close());
      }, idleMs).unref();
    }
  }

  async #contextFor(length: number): Promise<LlamaEmbeddingContext> {
    if (this.#context !== null && this.#context.tokens > length) return this.#context.inner;
    await this.#close();
    // The library wants one place more than there are tokens.
    let tokens = smallestContext;
    while (tokens <= length) tokens *= 2;
    try {
      const inner = await this.#model.createEmbeddingContext({
        contextSize: tokens,
        batchSize: tokens,
        threads: this.#threads,
      });
      this.#context = { inner, tokens };
      return inner;
    } catch (cause) {
      if (cause instanceof InsufficientMemoryError)
        throw new RbeeError("insufficient_ram", `There is no memory to embed ${length} tokens.`, {
          suggestion: "Embed shorter texts, or stop another worker.",
          cause,
        });
      throw cause;
    }
  }

  async #close(): Promise<void> {
    const context = this.#context;
    this.#context = null;
    await context?.inner.dispose();
  }
}

function normalised(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => (length === 0 ? 0 : value / length));
}
