import type { ModelMemoryFacts, SizeClass } from "@rbee/contract";

/** What a model's network looks like, as far as its memory depends on it. */
interface Shape {
  readonly layers: number;
  /** Width of a layer's input. */
  readonly width: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly cacheHeads: number;
  readonly headWidth: number;
  /** Of every so many layers the last keeps the whole context, the others so many tokens. */
  readonly window?: { readonly tokens: number; readonly every: number };
}

export interface Starter {
  readonly reference: string;
  readonly name: string;
  readonly sizeClass: SizeClass;
  readonly parameters: number;
  readonly sizeBytes: number;
  readonly contextLength: number;
  readonly goodAt: string;
  readonly shape: Shape;
}

const gb = 1e9;
const qwen3 = { vocabulary: 151_936, cacheHeads: 8, headWidth: 128 };
const llama3 = { vocabulary: 128_256, cacheHeads: 8 };
const gemma3 = { vocabulary: 262_208, window: { tokens: 1_024, every: 6 } };

/**
 * Well-known open models with files by their makers or by publishers that many people trust, the smallest first.
 * Figures are approximate: they are for the first look, and a pull takes what the hub and the file's header say.
 */
export const starters: readonly Starter[] = [
  {
    reference: "hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M",
    name: "Qwen 2.5 0.5B",
    sizeClass: "tiny",
    parameters: 0.49e9,
    sizeBytes: 0.49 * gb,
    contextLength: 32_768,
    goodAt: "Answers at once on any computer; good for trying things out, short replies and simple rewording.",
    shape: { layers: 24, width: 896, feedForward: 4_864, vocabulary: 151_936, cacheHeads: 2, headWidth: 64 },
  },
  {
    reference: "hf:bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    name: "Llama 3.2 1B",
    sizeClass: "tiny",
    parameters: 1.24e9,
    sizeBytes: 0.81 * gb,
    contextLength: 131_072,
    goodAt: "Summaries and short chats in a handful of European languages, on a laptop without a GPU.",
    shape: { ...llama3, layers: 16, width: 2_048, feedForward: 8_192, headWidth: 64 },
  },
  {
    reference: "hf:Qwen/Qwen3-1.7B-GGUF:Q8_0",
    name: "Qwen3 1.7B",
    sizeClass: "tiny",
    parameters: 1.72e9,
    sizeBytes: 1.83 * gb,
    contextLength: 40_960,
    goodAt: "Thinks before it answers, so that it reckons and plans better than others of its size.",
    shape: { ...qwen3, layers: 28, width: 2_048, feedForward: 6_144 },
  },
  {
    reference: "hf:bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
    name: "Llama 3.2 3B",
    sizeClass: "small",
    parameters: 3.21e9,
    sizeBytes: 2.02 * gb,
    contextLength: 131_072,
    goodAt: "A quick everyday assistant for letters, summaries and long texts.",
    shape: { ...llama3, layers: 28, width: 3_072, feedForward: 8_192, headWidth: 128 },
  },
  {
    reference: "hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
    name: "Gemma 3 4B",
    sizeClass: "small",
    parameters: 3.88e9,
    sizeBytes: 2.49 * gb,
    contextLength: 131_072,
    goodAt: "Writes well in very many languages; a good first choice for a family.",
    shape: { ...gemma3, layers: 34, width: 2_560, feedForward: 10_240, cacheHeads: 4, headWidth: 256 },
  },
  {
    reference: "hf:Qwen/Qwen3-4B-GGUF:Q4_K_M",
    name: "Qwen3 4B",
    sizeClass: "small",
    parameters: 4.02e9,
    sizeBytes: 2.5 * gb,
    contextLength: 40_960,
    goodAt: "School maths, step by step reasoning, and calling tools from apps.",
    shape: { ...qwen3, layers: 36, width: 2_560, feedForward: 9_728 },
  },
  {
    reference: "hf:bartowski/Qwen2.5-Coder-7B-Instruct-GGUF:Q4_K_M",
    name: "Qwen 2.5 Coder 7B",
    sizeClass: "medium",
    parameters: 7.62e9,
    sizeBytes: 4.68 * gb,
    contextLength: 32_768,
    goodAt: "Writes, explains and completes code.",
    shape: { layers: 28, width: 3_584, feedForward: 18_944, vocabulary: 152_064, cacheHeads: 4, headWidth: 128 },
  },
  {
    reference: "hf:Qwen/Qwen3-8B-GGUF:Q4_K_M",
    name: "Qwen3 8B",
    sizeClass: "medium",
    parameters: 8.19e9,
    sizeBytes: 5.03 * gb,
    contextLength: 40_960,
    goodAt: "An all-round assistant that reasons well; suits a GPU with 8 to 12 GB.",
    shape: { ...qwen3, layers: 36, width: 4_096, feedForward: 12_288 },
  },
  {
    reference: "hf:ggml-org/gemma-3-12b-it-GGUF:Q4_K_M",
    name: "Gemma 3 12B",
    sizeClass: "medium",
    parameters: 11.77e9,
    sizeBytes: 7.3 * gb,
    contextLength: 131_072,
    goodAt: "Careful writing and translation, and knowledge of the world.",
    shape: { ...gemma3, layers: 48, width: 3_840, feedForward: 15_360, cacheHeads: 8, headWidth: 256 },
  },
  {
    reference: "hf:Qwen/Qwen3-14B-GGUF:Q4_K_M",
    name: "Qwen3 14B",
    sizeClass: "medium",
    parameters: 14.77e9,
    sizeBytes: 9 * gb,
    contextLength: 40_960,
    goodAt: "Harder questions, longer plans and dependable tool calls.",
    shape: { ...qwen3, layers: 40, width: 5_120, feedForward: 17_408 },
  },
  {
    reference: "hf:ggml-org/gpt-oss-20b-GGUF:MXFP4",
    name: "gpt-oss 20B",
    sizeClass: "large",
    parameters: 20.91e9,
    sizeBytes: 12.1 * gb,
    contextLength: 131_072,
    goodAt: "Reasoning and tools at the speed of a small model, since each token uses a part of it only.",
    shape: {
      ...{ layers: 24, width: 2_880, feedForward: 2_880, vocabulary: 201_088, cacheHeads: 8, headWidth: 64 },
      window: { tokens: 128, every: 2 },
    },
  },
  {
    reference: "hf:Qwen/Qwen3-30B-A3B-GGUF:Q4_K_M",
    name: "Qwen3 30B-A3B",
    sizeClass: "large",
    parameters: 30.53e9,
    sizeBytes: 18.6 * gb,
    contextLength: 40_960,
    goodAt: "Much knowledge, and quick even without a GPU where there is the memory for it.",
    shape: { ...qwen3, layers: 48, width: 2_048, feedForward: 6_144, cacheHeads: 4 },
  },
  {
    reference: "hf:Qwen/Qwen3-32B-GGUF:Q4_K_M",
    name: "Qwen3 32B",
    sizeClass: "large",
    parameters: 32.76e9,
    sizeBytes: 19.8 * gb,
    contextLength: 40_960,
    goodAt: "Demanding reasoning and code on a GPU with 24 GB or more.",
    shape: { ...qwen3, layers: 64, width: 5_120, feedForward: 25_600 },
  },
  {
    reference: "hf:bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M",
    name: "Llama 3.3 70B",
    sizeClass: "huge",
    parameters: 70.55e9,
    sizeBytes: 42.5 * gb,
    contextLength: 131_072,
    goodAt: "The closest to large hosted assistants, for a workstation or a Mac with 64 GB.",
    shape: { ...llama3, layers: 80, width: 8_192, feedForward: 28_672, headWidth: 128 },
  },
];

/** The facts that an estimate of memory needs. */
export function starterFacts({ shape }: Pick<Starter, "shape">): ModelMemoryFacts {
  const { layers, width, feedForward, vocabulary, cacheHeads, headWidth, window } = shape;
  const whole = window === undefined ? layers : Math.floor(layers / window.every);
  const perLayer = cacheHeads * headWidth * 2;
  return {
    layers,
    embedding_length: width,
    feed_forward_length: feedForward,
    vocabulary_size: vocabulary,
    cache_values_per_token: whole * perLayer,
    windowed_cache_values_per_token: (layers - whole) * perLayer,
    window: window?.tokens ?? null,
    recurrent_values: 0,
  };
}
