import { describe, expect, it } from "vitest";
import { tokenAttribute, tokenBytes } from "./token-bytes.ts";

const normal = 4;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("tokenBytes", () => {
  it("reads the byte-level alphabet", () => {
    expect(text(tokenBytes("bpe", "Ġhello", normal))).toBe(" hello");
    expect(text(tokenBytes("bpe", "Ċ", normal))).toBe("\n");
    expect([...tokenBytes("bpe", "ðŁ", normal)]).toEqual([0xf0, 0x9f]);
  });

  it("reads sentence pieces: spaces and single bytes", () => {
    expect(text(tokenBytes("spm", "▁hello▁you", normal))).toBe(" hello you");
    expect([...tokenBytes("spm", "<0xF0>", tokenAttribute.byte)]).toEqual([0xf0]);
    expect(text(tokenBytes("spm", "<0xF0>", normal))).toBe("<0xF0>");
  });

  it("writes nothing for control tokens, and added tokens as they are", () => {
    expect(tokenBytes("bpe", "<|im_end|>", tokenAttribute.control)).toHaveLength(0);
    expect(tokenBytes("spm", "<unk>", tokenAttribute.unknown)).toHaveLength(0);
    expect(text(tokenBytes("bpe", "<think> é", tokenAttribute.userDefined))).toBe("<think> é");
  });
});
