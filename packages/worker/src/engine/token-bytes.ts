/** Which way a vocabulary spells bytes in its token texts; llama.cpp's names. */
export type VocabularyKind = "bpe" | "spm" | "other";

/** Bits of llama.cpp's `llama_token_attr` that decide how a token is written out. */
export const tokenAttribute = { unknown: 1, control: 8, userDefined: 16, byte: 32 } as const;

const encoder = new TextEncoder();

/**
 * GPT-2's byte-level alphabet: printable Latin-1 characters stand for themselves,
 * every other byte is written as the next free character from U+0100 on.
 */
function byteAlphabet(): ReadonlyMap<string, number> {
  const alphabet = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return alphabet;
}

const alphabet = byteAlphabet();

function fromByteAlphabet(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (const character of text) {
    const byte = alphabet.get(character);
    if (byte === undefined) return encoder.encode(text);
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

/**
 * The bytes that a token adds to an answer, the way llama.cpp's `llama_token_to_piece` writes them without special
 * tokens: control tokens are nothing, `▁` is a space, `<0x0A>` is a byte.
 */
export function tokenBytes(kind: VocabularyKind, text: string, attributes: number): Uint8Array {
  if ((attributes & (tokenAttribute.control | tokenAttribute.unknown)) !== 0) return new Uint8Array(0);
  if ((attributes & tokenAttribute.userDefined) !== 0) return encoder.encode(text);
  if (kind === "bpe") return fromByteAlphabet(text);
  if ((attributes & tokenAttribute.byte) !== 0) {
    const hex = /^<0x([0-9A-Fa-f]{2})>$/u.exec(text)?.[1];
    if (hex !== undefined) return Uint8Array.of(Number.parseInt(hex, 16));
  }
  return encoder.encode(text.replaceAll("▁", " "));
}

/** Bytes that no UTF-8 text has. */
const neverInText = (byte: number) => byte === 0xc0 || byte === 0xc1 || byte >= 0xf5;

/** Whether a token is a single byte that no text can have. Grammars, which see characters, would misread it. */
export function isByteOfNoText(kind: VocabularyKind, text: string): boolean {
  if (kind === "bpe") return text.length === 1 && neverInText(alphabet.get(text) ?? 0);
  const hex = text.length === 6 ? /^<0x([0-9A-Fa-f]{2})>$/u.exec(text)?.[1] : undefined;
  return hex !== undefined && neverInText(Number.parseInt(hex, 16));
}
