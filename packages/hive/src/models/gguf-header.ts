import { stat } from "node:fs/promises";
import { gguf, GGMLFileQuantizationType } from "@huggingface/gguf";
import { memoryFactsOf, positiveInteger, type GgufMetadata, type ModelMemoryFacts } from "@rbee/contract";

/** What a GGUF file's header says about the model in it. */
export interface GgufHeader {
  readonly name: string | null;
  readonly architecture: string | null;
  /** Tokens the model was trained for. */
  readonly contextLength: number | null;
  readonly parameters: number | null;
  readonly quantization: string | null;
  readonly hasChatTemplate: boolean;
  readonly memory: ModelMemoryFacts;
  /** Files that the model is split over; 1 when it is not. */
  readonly parts: number;
  /** Which of them this is, from 0. */
  readonly part: number;
}

/** `[values per block, bytes per block]` of tensor types, by their number in a GGUF file. */
const tensorBlocks: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
};

function text(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

/** Bytes of a tensor; at least one when its type is not known here. */
function tensorBytes({ shape, dtype }: { shape: readonly bigint[]; dtype: number }): number {
  const block = tensorBlocks[dtype];
  if (block === undefined) return 1;
  const values = shape.reduce((product, length) => product * Number(length), 1);
  return Math.ceil(values / block[0]) * block[1];
}

async function parsed(path: string) {
  try {
    return await gguf(path, { allowLocalFile: true, computeParametersCount: true });
  } catch (cause) {
    // The parser speaks of its own variables, and of the path.
    throw new Error("its header cannot be read, so it is damaged or no GGUF file", { cause });
  }
}

/**
 * Reads the header of a GGUF file.
 * @throws {Error} when the file is not GGUF, is cut off, or lacks what every model has.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const { size } = await stat(path);
  if (size < 24) throw new Error("it is too short to be a GGUF file");
  const { metadata, tensorInfos, tensorDataOffset, parameterCount } = await parsed(path);
  const values = metadata as unknown as GgufMetadata;
  const parts = positiveInteger(values["split.count"]) ?? 1;
  const end = tensorInfos.reduce(
    (last, tensor) => Math.max(last, Number(tensorDataOffset + tensor.offset) + tensorBytes(tensor)),
    0,
  );
  // The first of several parts may hold the header alone.
  if (tensorInfos.length === 0 && parts === 1) throw new Error("it holds no tensors");
  if (end > size) throw new Error("the file ends before its last tensor");
  const part = positiveInteger(values["split.no"]) ?? 0;
  const architecture = text(values["general.architecture"]);
  // The other parts of a split model hold tensors and little else.
  if (architecture === null && part === 0) throw new Error("the header names no architecture");
  const fileType = values["general.file_type"];
  return {
    name: text(values["general.name"]),
    architecture,
    contextLength: positiveInteger(values[`${architecture ?? ""}.context_length`]),
    parameters: parameterCount,
    quantization: typeof fileType === "number" ? (GGMLFileQuantizationType[fileType] ?? null) : null,
    hasChatTemplate: text(values["tokenizer.chat_template"]) !== null,
    memory: memoryFactsOf(values, architecture ?? ""),
    parts,
    part,
  };
}
