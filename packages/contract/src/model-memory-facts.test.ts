import { describe, expect, it } from "vitest";
import { memoryFactsOf } from "./model-memory-facts.ts";

const base = { "a.block_count": 4, "a.embedding_length": 64, "a.attention.head_count": 8 };

describe("what a header says about memory", () => {
  it("is keys and values of every layer, with the key heads and widths that it names", () => {
    expect(memoryFactsOf(base, "a").cache_values_per_token).toBe(4 * 8 * (8 + 8));
    expect(memoryFactsOf({ ...base, "a.attention.head_count_kv": 2 }, "a").cache_values_per_token).toBe(4 * 2 * 16);
    const wide = { ...base, "a.attention.key_length": 32, "a.attention.value_length": 16 };
    expect(memoryFactsOf(wide, "a").cache_values_per_token).toBe(4 * 8 * 48);
  });

  it("counts layers one by one where they differ, and layers without attention as recurrent", () => {
    const hybrid = {
      ...base,
      "a.attention.head_count_kv": [0, 2, 0, 2],
      "a.ssm.inner_size": 10,
      "a.ssm.state_size": 4,
      "a.ssm.conv_kernel": 3,
    };
    expect(memoryFactsOf(hybrid, "a")).toMatchObject({
      cache_values_per_token: 2 * 2 * 16,
      recurrent_values: 2 * (10 * 4 + 2 * 10),
    });
  });

  it("keeps layers with a sliding window apart, by the header's pattern or the architecture's own", () => {
    const windowed = { ...base, "a.attention.sliding_window": 512 };
    expect(memoryFactsOf(windowed, "a")).toMatchObject({ windowed_cache_values_per_token: 0, window: null });
    const pattern = { ...windowed, "a.attention.sliding_window_pattern": [true, true, true, false] };
    expect(memoryFactsOf(pattern, "a")).toMatchObject({
      cache_values_per_token: 128,
      windowed_cache_values_per_token: 3 * 128,
      window: 512,
    });
    const gemma = Object.fromEntries(
      Object.entries(windowed).map(([key, value]) => [key.replace(/^a/u, "gemma2"), value]),
    );
    expect(memoryFactsOf(gemma, "gemma2")).toMatchObject({ windowed_cache_values_per_token: 2 * 128 });
  });

  it("is null where the header is silent, and never a guess", () => {
    expect(memoryFactsOf({}, "a")).toMatchObject({ layers: null, cache_values_per_token: null, vocabulary_size: null });
    expect(memoryFactsOf({ "a.block_count": 4 }, "a").cache_values_per_token).toBeNull();
  });
});
