import { memoryFactsOf, positiveInteger, type GgufMetadata, type ModelMemoryFacts } from "@rbee/contract";

/** What is read of a GGUF file that is not here: what its memory is estimated from. */
export interface RemoteHeader {
  /** Tokens the model was trained for. */
  readonly contextLength: number | null;
  readonly facts: ModelMemoryFacts;
}

/** The bytes end before what is wanted has come. */
export class NeedsMore extends Error {}

const stringType = 8;
const arrayType = 9;
/** Bytes of a value, by the number of its type. */
const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
/** One number per layer is kept; tables as long as a vocabulary are not. */
const longestList = 4_096;

/** Walks over the start of a GGUF file. Every step past the end throws `NeedsMore`. */
class Cursor {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** A length or count. */
  length(): number {
    const value = Number(this.#bytes.readBigUInt64LE(this.#take(8)));
    if (!Number.isSafeInteger(value)) throw new Error("a length makes no sense");
    return value;
  }

  text(): string {
    const length = this.length();
    const start = this.#take(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  scalar(type: number): number | boolean {
    const size = sizes[type];
    if (size === undefined) throw new Error(`the type ${type} is not known`);
    const start = this.#take(size);
    const bytes = this.#bytes;
    switch (type) {
      case 6:
        return bytes.readFloatLE(start);
      case 7:
        return bytes.readUInt8(start) !== 0;
      case 10:
        return Number(bytes.readBigUInt64LE(start));
      case 11:
        return Number(bytes.readBigInt64LE(start));
      case 12:
        return bytes.readDoubleLE(start);
      default:
        return type % 2 === 0 ? bytes.readUIntLE(start, size) : bytes.readIntLE(start, size);
    }
  }

  #take(length: number): number {
    const start = this.at;
    if (length > this.#bytes.length - start) throw new NeedsMore();
    this.at = start + length;
    return start;
  }
}

/** A list's values, or its length alone when they are texts or very many. */
function readList(cursor: Cursor): unknown {
  const type = cursor.u32();
  const length = cursor.length();
  if (type === stringType) for (let index = 0; index < length; index += 1) cursor.skip(cursor.length());
  else if (length <= longestList) return Array.from({ length }, () => cursor.scalar(type));
  else {
    const size = sizes[type];
    if (size === undefined) throw new Error(`lists of type ${type} are not known`);
    cursor.skip(length * size);
  }
  return length;
}

function headerOf(metadata: GgufMetadata): RemoteHeader | null {
  const architecture = metadata["general.architecture"];
  if (typeof architecture !== "string" || positiveInteger(metadata[`${architecture}.block_count`]) === null)
    return null;
  return {
    contextLength: positiveInteger(metadata[`${architecture}.context_length`]),
    facts: memoryFactsOf(metadata, architecture),
  };
}

/**
 * Reads what matters from the first bytes of a GGUF file (versions 2 and 3). Writers put what describes the network in
 * front of the vocabulary, so reading ends where that begins, after some kilobytes rather than after all tokens and
 * merges, which can be ten megabytes.
 * @throws {NeedsMore} when the bytes end too early.
 * @throws {Error} when they are not the start of a model.
 */
export function readRemoteHeader(bytes: Buffer): RemoteHeader {
  const cursor = new Cursor(bytes);
  if (cursor.u32() !== 0x46554747) throw new Error("it does not begin as a GGUF file does");
  const version = cursor.u32();
  if (version !== 2 && version !== 3) throw new Error(`it is GGUF of version ${version}`);
  cursor.length();
  const pairs = cursor.length();
  const metadata: Record<string, unknown> = {};
  for (let index = 0; index < pairs; index += 1) {
    const key = cursor.text();
    const type = cursor.u32();
    if (type === arrayType && key === "tokenizer.ggml.tokens") {
      cursor.u32();
      metadata[key] = cursor.length();
      const header = headerOf(metadata);
      if (header !== null) return header;
      cursor.at -= 12;
    }
    metadata[key] = type === stringType ? cursor.text() : type === arrayType ? readList(cursor) : cursor.scalar(type);
  }
  const header = headerOf(metadata);
  if (header === null) throw new Error("it does not describe a model");
  return header;
}
