import * as z from "zod";
import type { Device } from "./capabilities.ts";
import type { Backend } from "./identifiers.ts";
import type { KvType } from "./model-settings.ts";
import type { WorkerSpawn } from "./workers.ts";

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
    heads: z.int().nullable().optional().describe("Most attention heads of a layer."),
    key_length: z.int().nullable().optional().describe("Width of one head's keys."),
    value_length: z.int().nullable().optional().describe("Width of one head's values."),
  })
  .meta({ id: "ModelMemoryFacts" });
export type ModelMemoryFacts = z.infer<typeof modelMemoryFactsSchema>;

/** Tokens of context per slot without which no worker starts, where a model was trained for so many. */
const leastContextTokens = 4_096;

/**
 * Tokens of context per slot that a worker of this model has at least when nobody names a number: what decides whether
 * it fits. It gets more where there is room; see `chooseContext`.
 * @param trained tokens that the model was trained for; null when unknown.
 */
export const leastContext = (trained: number | null): number =>
  Math.min(leastContextTokens, trained ?? leastContextTokens);

/** Requests that a worker answers at once when nothing is asked for. */
export const defaultSlots = 4;
/** Head room on an estimate before a worker is started. */
export const memorySafety = 1.2;

const bytesPerMb = 1024 * 1024;
/** llama.cpp keeps 32 quantised values together with one half-precision scale. */
const cacheBytesPerValue: Readonly<Record<KvType, number>> = { f16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };
const stateBytesPerValue = 4;
/**
 * Node with the worker's program, as it ships, and the engine's library. With the next figure, measured on Linux at the
 * peak of two models from 4 to 117 MB, 1 and 4 slots, 256 to 4096 tokens: the estimate was within 2 % of what the
 * process took. From its sources a worker takes about 22 MB more.
 */
const processBytes = 134 * bytesPerMb;
/** Tokenizer tables, and the header's lists of tokens and merges, in the library and in JavaScript. */
const bytesPerVocabularyEntry = 700;
/** Driver context, kernels and work space that a GPU backend takes beside its buffers. */
const gpuOverheadBytes = 320 * bytesPerMb;
/** Of the process that computes a part for another machine. */
const helperProcessBytes = 24 * bytesPerMb;
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
  /** Tokens per slot; the least that a worker has when left out. */
  readonly contextLength?: number | undefined;
  /** Whether that may be more than the model was trained for. */
  readonly extendContext?: boolean | undefined;
  /** Layers on the GPU, the output counted as one; all of them when left out. */
  readonly gpuLayers?: number | undefined;
  /** How the attention cache is kept; f16 when left out. */
  readonly kvType?: KvType | undefined;
  /** False computes attention over the whole context at once; otherwise the engine is taken to do without that. */
  readonly flashAttention?: boolean | undefined;
  /** Share of the model's layers that other machines compute, from 0 to 1; none when left out. */
  readonly elsewhere?: number | undefined;
}

/** The question that a worker's start asks; `slots` are those that its hive chooses when nobody does. */
export function memoryQuestion(
  backend: Backend,
  { slots, context_length, extend_context, gpu_layers, kv_type, flash_attention, helpers = [] }: Partial<WorkerSpawn>,
  usualSlots: number,
): MemoryQuestion {
  return {
    backend,
    slots: slots ?? usualSlots,
    contextLength: context_length,
    extendContext: extend_context,
    gpuLayers: gpu_layers,
    kvType: kv_type,
    flashAttention: flash_attention,
    elsewhere: helpers.reduce((sum, { share }) => sum + share, 0),
  };
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
  { backend, slots, contextLength, extendContext = false, gpuLayers, ...more }: MemoryQuestion,
): MemoryEstimate {
  const { facts, sizeBytes, trainedContext } = model;
  const { kvType = "f16", flashAttention, elsewhere = 0 } = more;
  const most = extendContext ? Number.MAX_SAFE_INTEGER : (trainedContext ?? Number.MAX_SAFE_INTEGER);
  const context = Math.min(contextLength ?? leastContext(trainedContext), most);
  const onGpu = backend !== "cpu";
  const batch = Math.min(onGpu ? batchTokens.gpu : batchTokens.cpu, context * slots);
  const windowed = facts.window === null ? context : Math.min(context, facts.window + batch);
  const cache =
    slots *
    (((facts.cache_values_per_token ?? 0) * context + facts.windowed_cache_values_per_token * windowed) *
      cacheBytesPerValue[kvType] +
      facts.recurrent_values * stateBytesPerValue);
  const vocabulary = facts.vocabulary_size ?? 0;
  // Main memory is taken when it is touched, and one row of logits per slot is all that is; a GPU reserves every row.
  const logits = vocabulary * 4 * (onGpu ? batch : slots);
  const width = (facts.embedding_length ?? 0) * activations + (facts.feed_forward_length ?? 0) * 2;
  // Without flash attention every head's scores of a batch over the whole context are there at once.
  const scores = flashAttention === false ? (facts.heads ?? 0) * batch * context * 4 : 0;
  const compute = logits + width * 4 * batch + scores;
  const process = processBytes + vocabulary * bytesPerVocabularyEntry;
  const { there, here } = onGpu ? split(facts.layers, gpuLayers) : { there: 1, here: 0 };
  const moved = (sizeBytes + cache) * Math.max(0, 1 - elsewhere);
  const device = moved * there + compute;
  const mb = (bytes: number) => Math.ceil(bytes / bytesPerMb);
  return {
    context_length: context,
    weights_mb: mb(sizeBytes),
    cache_mb: mb(cache),
    compute_mb: mb(compute),
    process_mb: mb(process),
    device_mb: mb(onGpu ? device + gpuOverheadBytes : device + process),
    ram_mb: mb(onGpu ? process + moved * here + (here > 0 ? compute : 0) : device + process),
  };
}

/**
 * Shares of weights and cache on the GPU and in main memory. Where the header does not say how many layers there are,
 * a part of them counts in both places.
 */
function split(layers: number | null, gpuLayers: number | undefined): { there: number; here: number } {
  if (gpuLayers === undefined) return { there: 1, here: 0 };
  if (layers === null) return { there: gpuLayers > 0 ? 1 : 0, here: 1 };
  const there = Math.min(1, gpuLayers / (layers + 1));
  return { there, here: 1 - there };
}

/** Memory that a worker is promised before it starts, in MB, head room included, by whose memory it is. */
export interface MemoryNeed {
  /** Of the device's own memory; 0 where it has none, as the CPU and devices that use main memory. */
  readonly device_mb: number;
  /** Of main memory. */
  readonly ram_mb: number;
}

/**
 * What a worker is to be promised on a device. Of a model whose header says nothing about memory the files' size is
 * what there is to go by.
 * @param sharesRam whether the device has no memory of its own.
 */
export function memoryNeed(
  model: { sizeBytes: number; trainedContext: number | null; facts: ModelMemoryFacts | null },
  question: MemoryQuestion,
  sharesRam: boolean,
): MemoryNeed {
  const estimate = estimateMemory({ ...model, facts: model.facts ?? unknownMemoryFacts }, question);
  const onGpu = question.backend !== "cpu";
  const safe = (mb: number) => Math.ceil(mb * memorySafety);
  if (!onGpu) return { device_mb: 0, ram_mb: safe(estimate.ram_mb) };
  return sharesRam
    ? { device_mb: 0, ram_mb: safe(estimate.device_mb + estimate.ram_mb) }
    : { device_mb: safe(estimate.device_mb), ram_mb: safe(estimate.ram_mb) };
}

/**
 * What a machine is to be promised for a part of a model that it computes for another one's worker.
 * @param question of the whole worker, with the backend that computes the part.
 * @param share of the model's layers, from 0 to 1.
 * @param sharesRam whether the device has no memory of its own.
 */
export function partNeed(
  model: { sizeBytes: number; trainedContext: number | null; facts: ModelMemoryFacts | null },
  question: MemoryQuestion,
  share: number,
  sharesRam: boolean,
): MemoryNeed {
  const whole = { ...question, elsewhere: 0, gpuLayers: undefined };
  const estimate = estimateMemory({ ...model, facts: model.facts ?? unknownMemoryFacts }, whole);
  const part = (estimate.weights_mb + estimate.cache_mb) * share + estimate.compute_mb;
  const process = helperProcessBytes / bytesPerMb;
  const safe = (mb: number) => Math.ceil(mb * memorySafety);
  if (question.backend === "cpu") return { device_mb: 0, ram_mb: safe(part + process) };
  const onDevice = part + gpuOverheadBytes / bytesPerMb;
  return sharesRam
    ? { device_mb: 0, ram_mb: safe(onDevice + process) }
    : { device_mb: safe(onDevice), ram_mb: safe(process) };
}

/** The device whose memory a worker on this one takes: `ram`, itself, or another view of the same card. */
export const poolOf = ({ id, backend, memory_of }: Pick<Device, "id" | "backend" | "memory_of">): string =>
  backend === "cpu" ? "ram" : (memory_of ?? id);
