import { stat } from "node:fs/promises";
import { gguf, GGMLFileQuantizationType } from "@huggingface/gguf";

/** What a GGUF file's header says about the model in it. */
export interface GgufHeader {
  readonly name: string | null;
  readonly architecture: string | null;
  /** Tokens the model was trained for. */
  readonly contextLength: number | null;
  readonly parameters: number | null;
  readonly quantization: string | null;
  readonly hasChatTemplate: boolean;
  /** Bytes of attention cache for one token at 16 bits; null when the header does not tell. */
  readonly cacheBytesPerToken: number | null;
  readonly vocabularySize: number | null;
}

type Metadata = Readonly<Record<string, unknown>>;

const bytesPerCacheValue = 2;

function text(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

function count(value: unknown): number | null {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number > 0 ? number : null;
}

/** Key and value heads over all layers; some models have a different number in each layer. */
function cacheHeads(metadata: Metadata, key: (name: string) => string, layers: number): number | null {
  const perLayer = metadata[key("attention.head_count_kv")] ?? metadata[key("attention.head_count")];
  if (Array.isArray(perLayer)) {
    const heads = perLayer.map((value) => Number(value));
    return heads.every((value) => Number.isFinite(value)) ? heads.reduce((sum, value) => sum + value, 0) : null;
  }
  const heads = count(perLayer);
  return heads === null ? null : heads * layers;
}

function cacheBytesPerToken(metadata: Metadata, key: (name: string) => string): number | null {
  const layers = count(metadata[key("block_count")]);
  const width = count(metadata[key("embedding_length")]);
  const attentionHeads = metadata[key("attention.head_count")];
  const headCount = count(Array.isArray(attentionHeads) ? attentionHeads[0] : attentionHeads);
  const headWidth = width === null || headCount === null ? null : width / headCount;
  const keyWidth = count(metadata[key("attention.key_length")]) ?? headWidth;
  const valueWidth = count(metadata[key("attention.value_length")]) ?? headWidth;
  const heads = layers === null ? null : cacheHeads(metadata, key, layers);
  if (heads === null || keyWidth === null || valueWidth === null) return null;
  return heads * (keyWidth + valueWidth) * bytesPerCacheValue;
}

/**
 * Reads the header of a GGUF file.
 * @throws {Error} when the file is not GGUF, is cut off, or lacks what every model has.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const { metadata, tensorInfos, tensorDataOffset, parameterCount } = await gguf(path, {
    allowLocalFile: true,
    computeParametersCount: true,
  });
  const { size } = await stat(path);
  const lastTensor = tensorInfos.reduce((last, { offset }) => (offset > last ? offset : last), 0n);
  if (tensorInfos.length === 0 || Number(tensorDataOffset + lastTensor) >= size)
    throw new Error("the file ends before its last tensor");
  const values = metadata as unknown as Metadata;
  const architecture = text(values["general.architecture"]);
  if (architecture === null) throw new Error("the header names no architecture");
  const key = (name: string) => `${architecture}.${name}`;
  const fileType = values["general.file_type"];
  const tokens = values["tokenizer.ggml.tokens"];
  return {
    name: text(values["general.name"]),
    architecture,
    contextLength: count(values[key("context_length")]),
    parameters: parameterCount,
    quantization: typeof fileType === "number" ? (GGMLFileQuantizationType[fileType] ?? null) : null,
    hasChatTemplate: text(values["tokenizer.chat_template"]) !== null,
    cacheBytesPerToken: cacheBytesPerToken(values, key),
    vocabularySize: Array.isArray(tokens) ? tokens.length : count(values[key("vocab_size")]),
  };
}
