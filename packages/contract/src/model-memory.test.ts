import { describe, expect, it } from "vitest";
import type { Backend } from "./identifiers.ts";
import { estimateMemory, memoryNeed, memorySafety, type ModelMemoryFacts } from "./model-memory.ts";

const facts: ModelMemoryFacts = {
  layers: 12,
  embedding_length: 768,
  feed_forward_length: 2_048,
  vocabulary_size: 32_000,
  cache_values_per_token: 18_432,
  windowed_cache_values_per_token: 0,
  window: null,
  recurrent_values: 0,
};
const model = { sizeBytes: 112 * 1024 ** 2, trainedContext: 8_192, facts };
const estimate = (more: Partial<ModelMemoryFacts>, question: Partial<Parameters<typeof estimateMemory>[1]> = {}) =>
  estimateMemory({ ...model, facts: { ...facts, ...more } }, { backend: "cpu", slots: 1, ...question });

describe("the estimate of memory", () => {
  it.each([
    [8_192, 4, 1_449],
    [2_048, 4, 596],
    [2_048, 1, 378],
  ])(
    "of a model that was measured at %i tokens in %i slots is what it took, within a tenth",
    (context, slots, took) => {
      const { ram_mb } = estimate({}, { contextLength: context, slots });
      expect(Math.abs(ram_mb - took)).toBeLessThan(took / 10);
    },
  );

  it("reckons with the least context that a worker has by itself, and never with more than it was trained for", () => {
    expect(estimate({}).context_length).toBe(4_096);
    expect(estimateMemory({ ...model, trainedContext: 1_024 }, { backend: "cpu", slots: 1 }).context_length).toBe(
      1_024,
    );
    expect(estimate({}, { contextLength: 1_000_000 }).context_length).toBe(8_192);
  });

  it("keeps the attention cache of a smaller type in so much less", () => {
    const cache = (kvType: "f16" | "q8_0" | "q4_0") =>
      estimate({}, { contextLength: 8_192, slots: 4, kvType }).cache_mb;
    expect([cache("f16"), cache("q8_0"), cache("q4_0")]).toEqual([1_152, 612, 324]);
  });

  it("adds every head's scores where flash attention is switched off", () => {
    const off = estimate({ heads: 12 }, { contextLength: 8_192, flashAttention: false });
    expect(off.compute_mb - estimate({ heads: 12 }, { contextLength: 8_192 }).compute_mb).toBe(192);
  });

  it("counts layers with a sliding window up to the window, and recurrent state once a slot", () => {
    const full = estimate({ cache_values_per_token: 100_000 }, { contextLength: 8_192 });
    const half = { cache_values_per_token: 50_000, windowed_cache_values_per_token: 50_000, window: 1_024 };
    const windowed = estimate(half, { contextLength: 8_192 });
    expect(windowed.cache_mb).toBeLessThan(full.cache_mb * 0.65);
    expect(windowed.cache_mb).toBeGreaterThan(full.cache_mb * 0.5);
    const recurrent = { cache_values_per_token: 0, recurrent_values: 1024 ** 2 };
    expect(estimate(recurrent, { slots: 3 }).cache_mb).toBe(12);
  });

  it("keeps apart what a GPU takes and what the process takes beside it", () => {
    const gpu = estimate({}, { backend: "cuda" });
    const cpu = estimate({});
    expect(gpu.ram_mb).toBe(gpu.process_mb);
    expect(gpu.device_mb).toBeGreaterThan(gpu.weights_mb + gpu.cache_mb);
    expect(cpu.device_mb).toBe(cpu.ram_mb);
  });

  it("divides a model between a GPU and main memory by its layers, and nothing gets lost", () => {
    const whole = estimate({}, { backend: "cuda" });
    const moved = whole.weights_mb + whole.cache_mb;
    const half = estimate({}, { backend: "cuda", gpuLayers: 6 });
    expect(half.device_mb).toBeLessThan(whole.device_mb - moved * 0.5);
    expect(half.ram_mb).toBeGreaterThan(whole.ram_mb + moved * 0.5);
    expect(half.device_mb + half.ram_mb).toBeGreaterThanOrEqual(whole.device_mb + whole.ram_mb);
    expect(estimate({}, { backend: "cuda", gpuLayers: 13 }).device_mb).toBe(whole.device_mb);
    const unknown = estimate({ layers: null }, { backend: "cuda", gpuLayers: 6 });
    expect(unknown.device_mb).toBe(whole.device_mb);
    expect(unknown.ram_mb).toBeGreaterThan(moved);
  });

  it("takes more context than a model was trained for only from who asks for just that", () => {
    expect(estimate({}, { contextLength: 16_384, extendContext: true }).context_length).toBe(16_384);
    expect(estimate({}, { extendContext: true }).context_length).toBe(4_096);
  });
});

describe("what a worker is promised", () => {
  const ask = (backend: Backend, sharesRam: boolean) => memoryNeed(model, { backend, slots: 1 }, sharesRam);

  it("is the estimate and a fifth, by whose memory it is", () => {
    const gpu = estimate({}, { backend: "cuda" });
    expect(ask("cpu", true)).toEqual({ device_mb: 0, ram_mb: Math.ceil(estimate({}).ram_mb * memorySafety) });
    expect(ask("cuda", false)).toEqual({
      device_mb: Math.ceil(gpu.device_mb * memorySafety),
      ram_mb: Math.ceil(gpu.ram_mb * memorySafety),
    });
    expect(ask("metal", true)).toEqual({
      device_mb: 0,
      ram_mb: Math.ceil((gpu.device_mb + gpu.ram_mb) * memorySafety),
    });
  });

  it("goes by the size of the files where the header is silent", () => {
    const silent = { ...model, facts: null };
    expect(memoryNeed(silent, { backend: "cuda", slots: 4 }, false).device_mb).toBe(
      Math.ceil((112 + 320) * memorySafety),
    );
  });
});
