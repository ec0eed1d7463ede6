/** Values in one block of Q8_0, which share one scale. */
const blockValues = 32;
const blockBytes = 2 + blockValues;

/** Bytes that `values` quantized values take. */
export const q8Bytes = (values: number) => (values / blockValues) * blockBytes;

/** Marsaglia's xorshift with 32 bits of state: small, fast and the same everywhere. */
export class Xorshift {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }
}

/** The 16-bit float with these bits has the nearest lower value of a positive normal number. */
function halfFloatBits(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  const fraction = Math.floor((value / 2 ** exponent - 1) * 1024);
  return ((exponent + 15) << 10) | fraction;
}

/** Standard deviation of an evenly spread signed byte. */
const byteDeviation = 256 / Math.sqrt(12);

/** A Q8_0 tensor of evenly spread random values with the given standard deviation. */
export function randomQ8(values: number, deviation: number, random: Xorshift): Buffer {
  const data = Buffer.allocUnsafe(q8Bytes(values));
  const scale = halfFloatBits(deviation / byteDeviation);
  for (let block = 0; block < data.length; block += blockBytes) {
    data.writeUInt16LE(scale, block);
    for (let at = block + 2; at < block + blockBytes; at += 4) data.writeUInt32LE(random.next(), at);
  }
  return data;
}

/** A vector of ones, as norms have before training. */
export const onesF32 = (values: number): Buffer => Buffer.from(new Float32Array(values).fill(1).buffer);
