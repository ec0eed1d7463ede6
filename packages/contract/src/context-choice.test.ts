import { describe, expect, it } from "vitest";
import { chooseContext, contextSentence } from "./context-choice.ts";
import { memoryNeed, type MemoryQuestion, type ModelMemoryFacts } from "./model-memory.ts";

/** Llama 3 8B at four bits: 128 KB of cache for a token, so 4 slots of 4096 tokens take 2 GB. */
const facts: ModelMemoryFacts = {
  layers: 32,
  embedding_length: 4_096,
  feed_forward_length: 14_336,
  vocabulary_size: 128_256,
  cache_values_per_token: 65_536,
  windowed_cache_values_per_token: 0,
  window: null,
  recurrent_values: 0,
};
const model = { sizeBytes: 4_900 * 1024 ** 2, trainedContext: 131_072, facts };
const onGpu: MemoryQuestion = { backend: "cuda", slots: 4 };
const onCpu: MemoryQuestion = { backend: "cpu", slots: 4 };
const choose = (
  question: MemoryQuestion,
  { deviceMb = 24_000, ramMb = 32_000 }: { deviceMb?: number | null; ramMb?: number | null } = {},
  of: Partial<typeof model> | { facts: null } = {},
) => {
  const { tokens, why } = chooseContext({ ...model, ...of }, question, { deviceMb, ramMb }, question.backend === "cpu");
  return [tokens, why];
};

describe("the context of a worker", () => {
  it("is what was named, up to what the model was trained for unless more is asked for on purpose", () => {
    expect(choose({ ...onGpu, contextLength: 2_048 })).toEqual([2_048, "set"]);
    expect(choose({ ...onGpu, contextLength: 200_000 })).toEqual([131_072, "trained"]);
    expect(choose({ ...onGpu, contextLength: 200_000, extendContext: true })).toEqual([200_000, "set"]);
  });

  it("is all of a model that was trained for little, however much is free", () => {
    expect(choose(onCpu, {}, { trainedContext: 1_024 })).toEqual([1_024, "trained"]);
    expect(choose({ ...onCpu, extendContext: true }, {}, { trainedContext: 1_024 })).toEqual([1_024, "trained"]);
  });

  it("grows with the memory that is free, through a few sizes", () => {
    expect(choose(onGpu, { deviceMb: 10_500 })).toEqual([4_096, "memory"]);
    expect(choose(onGpu, { deviceMb: 24_000 })).toEqual([8_192, "memory"]);
    expect(choose(onGpu, { deviceMb: 80_000 })).toEqual([32_768, "memory"]);
    expect(choose(onGpu, { deviceMb: 400_000 })).toEqual([131_072, "trained"]);
    expect(choose({ ...onGpu, slots: 1 }, { deviceMb: 24_000 })).toEqual([32_768, "memory"]);
    expect(choose({ ...onGpu, kvType: "q8_0" }, { deviceMb: 24_000 })).toEqual([16_384, "memory"]);
  });

  it("takes no more than a quarter of what is free beyond the least, and always fits where the least does", () => {
    const need = (contextLength?: number) => memoryNeed(model, { ...onGpu, contextLength }, false).device_mb;
    for (let deviceMb = need(); deviceMb < 200_000; deviceMb += 1_777) {
      const choice = chooseContext(model, onGpu, { deviceMb, ramMb: 32_000 }, false);
      expect(choice.need.device_mb).toBe(need(choice.tokens));
      expect(choice.need.device_mb).toBeLessThanOrEqual(deviceMb);
      expect(choice.need.device_mb - need()).toBeLessThanOrEqual(deviceMb / 4);
    }
  });

  it("stays modest without a GPU, where a long prompt takes minutes to read", () => {
    expect(choose(onCpu, { ramMb: 500_000 })).toEqual([8_192, "cpu"]);
    expect(choose(onCpu, { ramMb: 16_000 })).toEqual([8_192, "cpu"]);
    expect(choose(onCpu, { ramMb: 9_500 })).toEqual([4_096, "memory"]);
  });

  it("promises nothing large where what is free, or what a token takes, is not known", () => {
    expect(choose(onGpu, { deviceMb: null })).toEqual([8_192, "unknown"]);
    expect(choose(onGpu, { deviceMb: 400_000 }, { facts: null })).toEqual([8_192, "unknown"]);
    expect(choose(onGpu, { deviceMb: null }, { trainedContext: 4_096 })).toEqual([4_096, "trained"]);
  });

  it("is told with its reason", () => {
    expect(contextSentence("attic", { tokens: 8_192, why: "memory" })).toBe(
      "attic gives each slot 8192 tokens of context; more would take too much of the memory that is free.",
    );
  });
});
