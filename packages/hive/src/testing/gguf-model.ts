type Value = string | number | readonly string[];

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

function numbers(...values: [value: number | bigint, bytes: 4 | 8][]): Buffer {
  return Buffer.concat(
    values.map(([value, bytes]) => {
      const buffer = Buffer.alloc(bytes);
      if (bytes === 4) buffer.writeUInt32LE(Number(value));
      else buffer.writeBigUInt64LE(BigInt(value));
      return buffer;
    }),
  );
}

function pair(key: string, value: Value): Buffer {
  const typed =
    typeof value === "string"
      ? [numbers([8, 4]), text(value)]
      : typeof value === "number"
        ? [numbers([4, 4], [value, 4])]
        : [numbers([9, 4], [8, 4], [BigInt(value.length), 8]), ...value.map(text)];
  return Buffer.concat([text(key), ...typed]);
}

/**
 * A GGUF file (version 3) with a header and one tensor of bytes: no model that answers, but one that can be read.
 * @param tensorBytes size of the tensor; a multiple of 32.
 */
export function ggufFile(metadata: Readonly<Record<string, Value>>, tensorBytes: number, fill = 1): Buffer {
  const pairs = Object.entries(metadata);
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    numbers([3, 4], [1n, 8], [BigInt(pairs.length), 8]),
    ...pairs.map(([key, value]) => pair(key, value)),
    text("blk.0.weight"),
    // One dimension of 8-bit values at the beginning of the data.
    numbers([1, 4], [BigInt(tensorBytes), 8], [24, 4], [0n, 8]),
  ]);
  const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
  // Different everywhere, so that a piece in the wrong place is noticed.
  const data = Buffer.alloc(tensorBytes);
  for (let at = 0; at + 4 <= tensorBytes; at += 4) data.writeUInt32LE((at * 2_654_435_761 + fill) >>> 0, at);
  return Buffer.concat([header, padding, data]);
}

/** A readable model of about that many bytes. */
export function smallModel(bytes: number, fill = 1, more: Readonly<Record<string, Value>> = {}): Buffer {
  return ggufFile(
    { "general.architecture": "llama", "general.name": "small", "llama.context_length": 512, ...more },
    Math.ceil(bytes / 32) * 32,
    fill,
  );
}
