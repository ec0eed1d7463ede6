import { z } from "zod";
import type { Backend } from "./identifiers.ts";

/** What a GGUF header says about the memory that a model takes while it runs. An unknown fact is null. */
export const modelMemoryFactsSchema = z
  .object({
    layers: z.int().nullable(),
    embedding_length: z.int().nullable().describe("Width of a layer's input."),
    feed_forward_length: z.int().nullable(),
    vocabulary_size: z.int().nullable(),
    cache_values_per_token: z
      .number()
      .nullable()
      .describe("Keys and values of one token over all layers that keep the whole context."),
    windowed_cache_values_per_token: z.number().describe("The same over the layers that keep a sliding window only."),
    window: z.int().nullable().describe("Tokens of that window."),
    recurrent_values: z.number().describe("Values of state per slot, whatever the context is."),
  })
  .meta({ id: "ModelMemoryFacts" });
export type ModelMemoryFacts = z.infer<typeof modelMemoryFactsSchema>;

/** Tokens of context per slot that a worker takes when nothing is asked for, at most. */
export const defaultContextLimit = 8_192;
/** Requests that a worker answers at once when nothing is asked for. */
export const defaultSlots = 4;
/** Head room on an estimate before a worker is started. */
export const memorySafety = 1.2;

const bytesPerMb = 1024 * 1024;
const cacheBytesPerValue = 2;
const stateBytesPerValue = 4;
/**
 * Node with the worker's program and the engine's library. With the next figure, measured on Linux with two models
 * from 4 to 117 MB, 1 and 4 slots, 256 to 8192 tokens: the estimate was within 1 % of what the process took.
 */
const processBytes = 156 * bytesPerMb;
/** Tokenizer tables, and the header's lists of tokens and merges, in the library and in JavaScript. */
const bytesPerVocabularyEntry = 700;
/** Driver context, kernels and work space that a GPU backend takes beside its buffers. */
const gpuOverheadBytes = 320 * bytesPerMb;
const batchTokens = { cpu: 512, gpu: 2_048 } as const;
/** Copies of a layer's input that are alive at once while a batch is computed. */
const activations = 6;

/** The facts of a model of which nothing is known but its size. */
export const unknownMemoryFacts: ModelMemoryFacts = {
  layers: null,
  embedding_length: null,
  feed_forward_length: null,
  vocabulary_size: null,
  cache_values_per_token: null,
  windowed_cache_values_per_token: 0,
  window: null,
  recurrent_values: 0,
};

export interface MemoryQuestion {
  readonly backend: Backend;
  readonly slots: number;
  /** Tokens per slot; the worker's own choice when left out. */
  readonly contextLength?: number | undefined;
}

/** Memory that a worker takes, in MB. */
export interface MemoryEstimate {
  readonly context_length: number;
  readonly weights_mb: number;
  readonly cache_mb: number;
  readonly compute_mb: number;
  /** Of the process itself, in main memory. */
  readonly process_mb: number;
  /** On the device that computes: for the CPU that is main memory, and the process counts in. */
  readonly device_mb: number;
  /** In main memory. */
  readonly ram_mb: number;
}

/**
 * What a worker will take, in MB, from the facts of a model's header: weights, attention cache at the chosen context
 * and slots, buffers to compute in, and the process. Pure, and the same for the queen's "does it fit" as for the hive
 * before it starts a worker. Without head room; see `memorySafety`.
 * @param sizeBytes of the model's files.
 * @param trainedContext tokens that the model was trained for; null when unknown.
 */
export function estimateMemory(
  model: { sizeBytes: number; trainedContext: number | null; facts: ModelMemoryFacts },
  { backend, slots, contextLength }: MemoryQuestion,
): MemoryEstimate {
  const { facts, sizeBytes, trainedContext } = model;
  const context = Math.min(contextLength ?? defaultContextLimit, trainedContext ?? Number.MAX_SAFE_INTEGER);
  const onGpu = backend !== "cpu";
  const batch = Math.min(onGpu ? batchTokens.gpu : batchTokens.cpu, context * slots);
  const windowed = facts.window === null ? context : Math.min(context, facts.window + batch);
  const cache =
    slots *
    (((facts.cache_values_per_token ?? 0) * context + facts.windowed_cache_values_per_token * windowed) *
      cacheBytesPerValue +
      facts.recurrent_values * stateBytesPerValue);
  const vocabulary = facts.vocabulary_size ?? 0;
  // Main memory is taken when it is touched, and one row of logits per slot is all that is; a GPU reserves every row.
  const logits = vocabulary * 4 * (onGpu ? batch : slots);
  const width = (facts.embedding_length ?? 0) * activations + (facts.feed_forward_length ?? 0) * 2;
  const compute = logits + width * 4 * batch;
  const process = processBytes + vocabulary * bytesPerVocabularyEntry;
  const device = sizeBytes + cache + compute;
  const mb = (bytes: number) => Math.ceil(bytes / bytesPerMb);
  return {
    context_length: context,
    weights_mb: mb(sizeBytes),
    cache_mb: mb(cache),
    compute_mb: mb(compute),
    process_mb: mb(process),
    device_mb: mb(onGpu ? device + gpuOverheadBytes : device + process),
    ram_mb: mb(onGpu ? process : device + process),
  };
}
