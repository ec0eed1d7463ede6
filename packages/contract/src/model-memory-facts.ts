import type { ModelMemoryFacts } from "./model-memory.ts";

/** The key–value pairs of a GGUF header; of the list of tokens its length alone will do. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

/** A whole number above 0, else null. */
export function positiveInteger(value: unknown): number | null {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number > 0 ? number : null;
}

/**
 * Of every so many layers the last keeps the whole context and the others a sliding window. llama.cpp knows this of
 * these architectures without the header saying so.
 */
const windowPeriods: Readonly<Record<string, number>> = { gemma2: 2, gemma3: 6, gemma3n: 5, "gpt-oss": 2, cohere2: 4 };

/** One number per layer, whether the header gives one for all or one for each; null when it gives none. */
function perLayer(value: unknown, layers: number): number[] | null {
  if (Array.isArray(value)) {
    const numbers = value.map(Number);
    return numbers.length >= layers && numbers.every((number) => Number.isSafeInteger(number) && number >= 0)
      ? numbers.slice(0, layers)
      : null;
  }
  const number = positiveInteger(value);
  return number === null ? null : new Array<number>(layers).fill(number);
}

function keepsWindowOnly(metadata: GgufMetadata, architecture: string, layer: number): boolean {
  const pattern = metadata[`${architecture}.attention.sliding_window_pattern`];
  if (Array.isArray(pattern)) return pattern[layer] === true;
  const period = positiveInteger(pattern) ?? windowPeriods[architecture];
  return period !== undefined && layer % period < period - 1;
}

/** State of a recurrent layer (Mamba and its kin) per sequence: what it remembers, and the last inputs it looks at. */
function recurrentValuesPerLayer(metadata: GgufMetadata, architecture: string): number {
  const of = (name: string) => positiveInteger(metadata[`${architecture}.ssm.${name}`]) ?? 0;
  const inner = of("inner_size");
  const state = of("state_size");
  return inner * state + Math.max(0, of("conv_kernel") - 1) * (inner + 2 * of("group_count") * state);
}

/** What the memory of a running model is estimated from. Nothing is guessed: what the header does not say is null. */
export function memoryFactsOf(metadata: GgufMetadata, architecture: string): ModelMemoryFacts {
  const of = (name: string) => metadata[`${architecture}.${name}`];
  const layers = positiveInteger(of("block_count"));
  const width = positiveInteger(of("embedding_length"));
  const tokens = metadata["tokenizer.ggml.tokens"];
  const feedForward = of("feed_forward_length");
  const facts = {
    layers,
    embedding_length: width,
    feed_forward_length: Array.isArray(feedForward)
      ? positiveInteger(Math.max(...feedForward.map(Number)))
      : positiveInteger(feedForward),
    vocabulary_size: positiveInteger(Array.isArray(tokens) ? tokens.length : (tokens ?? of("vocab_size"))),
  };
  const unknown = { ...facts, cache_values_per_token: null, windowed_cache_values_per_token: 0, window: null };
  const recurrent = recurrentValuesPerLayer(metadata, architecture);
  if (layers === null) return { ...unknown, recurrent_values: 0 };
  const heads = perLayer(of("attention.head_count"), layers);
  const cacheHeads = perLayer(of("attention.head_count_kv") ?? of("attention.head_count"), layers);
  // A model of recurrent layers alone has no attention, and so no cache.
  if (cacheHeads === null)
    return recurrent > 0
      ? { ...unknown, cache_values_per_token: 0, recurrent_values: recurrent * layers }
      : { ...unknown, recurrent_values: 0 };
  const most = heads === null ? null : positiveInteger(Math.max(...heads));
  const headWidth = width === null || most === null ? null : width / most;
  const keyWidth = positiveInteger(of("attention.key_length")) ?? headWidth;
  const valueWidth = positiveInteger(of("attention.value_length")) ?? headWidth;
  const attention = { heads: most, key_length: keyWidth, value_length: valueWidth };
  if (keyWidth === null || valueWidth === null) return { ...unknown, recurrent_values: 0 };
  const window = positiveInteger(of("attention.sliding_window"));
  let full = 0;
  let windowed = 0;
  for (const [layer, count] of cacheHeads.entries()) {
    const values = count * (keyWidth + valueWidth);
    if (window !== null && keepsWindowOnly(metadata, architecture, layer)) windowed += values;
    else full += values;
  }
  return {
    ...facts,
    ...attention,
    cache_values_per_token: full,
    windowed_cache_values_per_token: windowed,
    window: windowed > 0 ? window : null,
    recurrent_values: recurrent * cacheHeads.filter((count) => count === 0).length,
  };
}
