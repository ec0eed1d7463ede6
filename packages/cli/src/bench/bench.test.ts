import type { Timings } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { decodeSpeed, median, prefillSpeed, promptLength, timeToFirstToken, type Sample } from "./figures.ts";
import { findings, type Place } from "./limits.ts";
import type { Decode, Measured } from "./measure.ts";
import { freshText } from "./prompts.ts";
import { benchText } from "./report.ts";

const timings = (more: Partial<Timings> = {}): Timings => ({
  ...{ cache_n: 0, prompt_n: 500, prompt_ms: 1_000, prompt_per_second: 500 },
  ...{ predicted_n: 40, predicted_ms: 2_000, predicted_per_second: 20 },
  ...more,
});
const sample = (more: Partial<Sample> = {}): Sample => ({
  ...{ startedAt: 100, firstAt: 1_150, endedAt: 3_150, workerId: "worker:a", timings: timings() },
  ...more,
});

describe("the figures of a benchmark", () => {
  it("are the middle of all rounds", () => {
    expect([median([]), median([3]), median([9, 1, 5]), median([4, 1, 2, 100])]).toEqual([null, 3, 5, 3]);
  });

  it("take reading from the worker's clock and the first token from the asker's", () => {
    expect(prefillSpeed(sample())).toBe(500);
    expect(timeToFirstToken(sample())).toBe(1_050);
    expect(timeToFirstToken(sample({ firstAt: null }))).toBeNull();
  });

  it("do not count a prompt that was mostly remembered, or of which nothing is told", () => {
    expect(prefillSpeed(sample({ timings: timings({ cache_n: 480, prompt_n: 20 }) }))).toBeNull();
    expect(prefillSpeed(sample({ timings: null }))).toBeNull();
  });

  it("add up answers that were written at the same time by the same worker, and no others", () => {
    const slower = sample({ firstAt: 1_200, timings: timings({ predicted_per_second: 16 }) });
    expect(decodeSpeed([sample(), slower])).toEqual({ together: 36, each: 18 });
    expect(decodeSpeed([sample(), sample({ firstAt: 3_000, endedAt: 5_000 })])).toBeNull();
    expect(decodeSpeed([sample(), sample({ workerId: "worker:b" })])).toBeNull();
    expect(decodeSpeed([sample({ timings: timings({ predicted_n: 3 }) })])).toBeNull();
    expect(decodeSpeed([])).toBeNull();
  });

  it("come from prompts that fit into the context and are read in seconds", () => {
    const wish = { wanted: 512, seconds: 3 };
    expect(promptLength(wish, { speed: 5_000, contextLength: 8_192 })).toBe(512);
    expect(promptLength(wish, { speed: 10, contextLength: 8_192 })).toBe(30);
    expect(promptLength(wish, { speed: null, contextLength: 256 })).toBe(128);
    expect(promptLength(wish, { speed: 0.1, contextLength: null })).toBe(16);
  });

  it("come from prompts that begin differently each time", () => {
    const beginnings = new Set(Array.from({ length: 50 }, () => freshText(20).split(" ")[0]));
    expect(beginnings.size).toBeGreaterThan(45);
    expect(freshText(20).split(" ")).toHaveLength(20);
  });
});

const decode = (streams: number, together: number): Decode => ({
  ...{ streams, rounds: 3, tokens_per_s: together, each_tokens_per_s: together / streams, ttft_ms: 80 },
});
const measured: Measured = {
  ...{ hiveId: "hive:00000000-0000-4000-8000-000000000000", hive: "attic", workerId: "worker:a" },
  prefill: { rounds: 3, prompt_tokens: 512, tokens_per_s: 200, ttft_ms: 2_560 },
  decode: [decode(1, 20), decode(4, 52)],
  beyondSlots: [],
  load: { load1: 0.4, workerCores: 3.9, otherCores: 0.1, gpuPct: null, strangers: 0 },
  ...{ cutShort: false, guessed: 0, waitedMs: 0, others: false },
};
const place: Place = {
  ...{
    backend: "cpu",
    device: "cpu",
    deviceName: "Intel i5",
    threads: 8,
    modelBytes: 4e9,
    layers: 33,
    gpuLayers: null,
  },
};
const said = (more: Partial<Measured> = {}, at: Partial<Place> = {}) =>
  findings({ ...measured, ...more }, { ...place, ...at }).map(({ code, message }) => [code, message]);

describe("what a benchmark says limits a machine", () => {
  it("is what was measured of the processor, the memory and the gain of several answers, and nothing else", () => {
    expect(said()).toEqual([
      ["device", "It computed on the processor (Intel i5), and kept about 3.9 of 8 processor threads busy."],
      [
        "memory_traffic",
        "The model is 4.0 GB: if every token needs all of it, one answer reads 80.0 GB of memory a second.",
      ],
      [
        "batching",
        "4 answers at once gave 2.6 times the tokens of one, so what limits one alone is what each step costs however many share it, above all reading the model from memory. A prompt is read 10.0 times as fast as an answer is written.",
      ],
    ]);
  });

  it("is computing where several answers gain nothing, and both in between", () => {
    expect(said({ decode: [decode(1, 20), decode(2, 22)] })[2]?.[1]).toContain("so computing is the limit.");
    expect(said({ decode: [decode(1, 20), decode(2, 28)] })[2]?.[1]).toContain("both computing and reading the model");
    expect(said({ decode: [decode(1, 20)] }).map(([code]) => code)).not.toContain("batching");
  });

  it("is a model that is only partly on the GPU, and the GPU's own business where that is measured", () => {
    const gpu = { backend: "cuda", device: "cuda:0", deviceName: "RTX 3060" } as const;
    const load = { ...measured.load, gpuPct: 97.4 };
    expect(said({ load }, gpu)[0]?.[1]).toBe(
      "It computed on cuda:0 (RTX 3060), which was busy 97 % of the time, and kept about 3.9 of 8 processor threads busy.",
    );
    expect(said({}, gpu)[0]?.[1]).toContain("how busy it was is unknown");
    expect(said({}, { ...gpu, gpuLayers: 20 })[1]).toEqual([
      "partly_on_gpu",
      "Only 20 of 33 layers are on the GPU, as was set for this model; the processor computes the others, and usually sets the pace then.",
    ]);
    expect(said({}, { ...gpu, gpuLayers: 33 }).map(([code]) => code)).not.toContain("partly_on_gpu");
  });

  it("is what others did meanwhile, when that was much", () => {
    const codes = (load: Partial<Measured["load"]>, waitedMs = 0) =>
      said({ load: { ...measured.load, ...load }, waitedMs })
        .map(([code]) => code)
        .filter((code) => !["device", "memory_traffic", "batching"].includes(String(code)));
    expect(codes({})).toEqual([]);
    expect(codes({ otherCores: 2 })).toEqual(["busy_machine"]);
    expect(codes({ load1: 9 })).toEqual(["high_load"]);
    expect(codes({ strangers: 2 }, 400)).toEqual(["shared", "queued"]);
    expect(codes({ otherCores: null, load1: null, workerCores: null })).toEqual([]);
  });

  it("is told to be unknown where nothing usable was measured", () => {
    const nothing = said({ prefill: null, decode: [], cutShort: true, beyondSlots: [2, 4], guessed: 3 });
    expect(nothing.map(([code]) => code)).toEqual(["device", "slots", "guessed", "cut_short", "unknown"]);
    const report = { ...measured, ...place, model: "bee", hive_id: "", worker_id: "", device_name: null };
    const text = benchText({
      ...report,
      ...{ prefill: null, decode: [], context_length: null, slots: null, model_bytes: null, complete: false },
      machine: { threads: null, worker_cores: null, other_cores: null, load1: null, gpu_pct: null },
      findings: [],
    });
    expect(text).toMatch(/read a prompt +unknown +unknown +0/u);
  });
});
