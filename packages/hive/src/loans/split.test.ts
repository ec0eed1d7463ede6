import { describe, expect, it } from "vitest";
import { splitModel, spreadOf } from "./split.ts";

const split = (layers: number | null, backend: "cpu" | "cuda", ...shares: number[]) =>
  splitModel({
    layers,
    backend,
    helpers: shares.map((share) => ({ share })),
    addresses: shares.map((_, index) => `127.0.0.1:${index + 1}`),
  });
const flag = (flags: readonly string[], name: string) => flags[flags.indexOf(name) + 1];

describe("a model that is divided", () => {
  it("keeps its first layers on a main machine without a card, and gives whole layers to the others", () => {
    const { layers, own, flags } = split(31, "cpu", 0.25, 0.25);
    expect([layers, own]).toEqual([[8, 8], 0.5]);
    expect(flag(flags, "--rpc")).toBe("127.0.0.1:1,127.0.0.1:2");
    expect(flag(flags, "--device")).toBe("RPC0,RPC1");
    expect([flag(flags, "--tensor-split"), flag(flags, "--n-gpu-layers")]).toEqual(["8,8", "16"]);
  });

  it("keeps its last layers on a main machine with a card", () => {
    const { layers, own, flags } = split(31, "cuda", 0.5);
    expect([layers, own]).toEqual([[16], 0.5]);
    expect(flag(flags, "--device")).toBe("RPC0,CUDA0");
    expect([flag(flags, "--tensor-split"), flag(flags, "--n-gpu-layers")]).toEqual(["16,16", "32"]);
  });

  it("gives everybody who is named a layer, and never more layers than there are", () => {
    expect(split(3, "cpu", 0.01, 0.01).layers).toEqual([1, 1]);
    const whole = split(3, "cpu", 0.5, 0.5, 0.5);
    expect(whole.layers.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(split(3, "cuda", 1).layers).toEqual([3]);
    expect(split(null, "cpu", 0.5).layers).toEqual([17]);
  });

  it("is told as shares that make one", () => {
    const divided = split(31, "cpu", 0.25, 0.5);
    const hive_id = "hive:00000000-0000-4000-8000-000000000000";
    const parts = spreadOf(
      divided,
      { hive_id, name: "attic", device: "cpu" },
      ["cellar", "garage"].map((name) => ({ hive_id, name, device: "cpu" })),
    );
    expect(parts.map(({ name, share }) => [name, share])).toEqual([
      ["attic", 0.25],
      ["cellar", 0.25],
      ["garage", 0.5],
    ]);
  });
});
