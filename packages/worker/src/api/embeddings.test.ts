import { expect, it } from "vitest";
import { MemoryEngine } from "../../test/memory-engine.ts";
import { embeddings } from "./embeddings.ts";

it("computes no further input once one has failed", async () => {
  const engine = new MemoryEngine(1);
  const signals: AbortSignal[] = [];
  engine.embedder.embed = (_, signal) => {
    signals.push(signal);
    return signals.length === 1 ? Promise.reject(new Error("no memory")) : new Promise(() => {});
  };
  const asked = embeddings({ model: "m", input: ["a", "b"] }, engine, new AbortController().signal);
  await expect(asked).rejects.toThrow("no memory");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});
