/** GGUF's number for the type of a metadata value. */
const valueType = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** GGUF's number for the type of a tensor's elements. */
export const tensorType = { f32: 0, q8_0: 8 } as const;

export type MetadataValue =
  | { readonly type: "uint32" | "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "int32s"; readonly value: readonly number[] };

export interface Tensor {
  readonly name: string;
  /** GGUF's order: the length of a row first. */
  readonly shape: readonly number[];
  readonly type: (typeof tensorType)[keyof typeof tensorType];
  readonly bytes: number;
}

const alignment = 32;

/** Where the next aligned byte after `offset` is. */
export const aligned = (offset: number) => Math.ceil(offset / alignment) * alignment;

/** Collects little-endian binary data. */
class Bytes {
  readonly #parts: Buffer[] = [];

  u32(value: number): this {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    return this.raw(buffer);
  }

  u64(value: number): this {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(BigInt(value));
    return this.raw(buffer);
  }

  f32(value: number): this {
    const buffer = Buffer.alloc(4);
    buffer.writeFloatLE(value);
    return this.raw(buffer);
  }

  string(value: string): this {
    const buffer = Buffer.from(value);
    return this.u64(buffer.length).raw(buffer);
  }

  raw(buffer: Buffer): this {
    this.#parts.push(buffer);
    return this;
  }

  join(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function writeValue(bytes: Bytes, metadata: MetadataValue): void {
  switch (metadata.type) {
    case "uint32":
      bytes.u32(valueType.uint32).u32(metadata.value);
      return;
    case "float32":
      bytes.u32(valueType.float32).f32(metadata.value);
      return;
    case "bool":
      bytes.u32(valueType.bool).raw(Buffer.of(metadata.value ? 1 : 0));
      return;
    case "string":
      bytes.u32(valueType.string).string(metadata.value);
      return;
    case "strings":
      bytes.u32(valueType.array).u32(valueType.string).u64(metadata.value.length);
      for (const text of metadata.value) bytes.string(text);
      return;
    case "int32s":
      bytes.u32(valueType.array).u32(valueType.int32).u64(metadata.value.length);
      bytes.raw(Buffer.from(Int32Array.from(metadata.value).buffer));
  }
}

/** Everything of a GGUF file (version 3) that stands before the tensors' data, padded to where that begins. */
export function ggufHeader(metadata: ReadonlyMap<string, MetadataValue>, tensors: readonly Tensor[]): Buffer {
  const bytes = new Bytes().raw(Buffer.from("GGUF")).u32(3).u64(tensors.length).u64(metadata.size);
  for (const [key, value] of metadata) {
    bytes.string(key);
    writeValue(bytes, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    bytes.string(tensor.name).u32(tensor.shape.length);
    for (const length of tensor.shape) bytes.u64(length);
    bytes.u32(tensor.type).u64(offset);
    offset = aligned(offset + tensor.bytes);
  }
  const header = bytes.join();
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length)]);
}
