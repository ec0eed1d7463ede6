/** Control tokens, in the order of their ids. */
export const controlTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

export interface BpeVocabulary {
  readonly tokens: readonly string[];
  readonly merges: readonly string[];
}

const letters = [..."etaoinshrdlucmfwypvbgkjqxz"];
/** How a byte-level vocabulary writes a space. */
const space = "Ġ";

/** GPT-2's printable spelling of the 256 bytes, in byte order. */
function byteSpellings(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/**
 * A byte-level BPE vocabulary of exactly `size` tokens that needs no text to learn from: all bytes, then all pairs of
 * letters, then pairs of what is already there, the commonest English letters first. Every text can be spelled with
 * it, at about three characters a token in English.
 */
export function makeVocabulary(size: number): BpeVocabulary {
  const tokens: string[] = [...controlTokens, ...byteSpellings()];
  const known = new Set(tokens);
  const merges: string[] = [];
  const merge = (left: string, right: string) => {
    const token = left + right;
    if (tokens.length >= size || known.has(token)) return;
    known.add(token);
    tokens.push(token);
    merges.push(`${left} ${right}`);
  };
  const pairs = letters.flatMap((left) => letters.map((right) => [left, right] as const));
  for (const [left, right] of pairs) merge(left, right);
  for (const letter of letters) merge(space, letter);
  // Wider tokens by how common their letters are together: the sum of the ranks, smallest first.
  const twos = letters.flatMap((left, one) => letters.map((right, two) => ({ text: left + right, rank: one + two })));
  const ranked = twos.flatMap((left) => [
    ...letters.map((letter, rank) => ({ left: space + letter, right: left.text, rank: rank + left.rank })),
    ...twos.map((right) => ({ left: left.text, right: right.text, rank: left.rank + right.rank + letters.length / 2 })),
    ...letters.map((letter, rank) => ({ left: left.text, right: letter, rank: rank + left.rank })),
  ]);
  ranked.sort((one, other) => one.rank - other.rank);
  for (const { left, right } of ranked) merge(left, right);
  if (tokens.length !== size) throw new Error(`a vocabulary of ${size} tokens is more than this recipe can make`);
  return { tokens, merges };
}
