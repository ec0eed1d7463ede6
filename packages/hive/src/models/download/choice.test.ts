import { parseModelReference, type HubReference } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { chooseFiles } from "./choice.ts";
import { failuresInARow, retryDelayMs } from "./retry.ts";

function choose(reference: string, paths: readonly string[]): string[] {
  const files = paths.map((path) => ({ path, sizeBytes: 1, sha256: null }));
  return chooseFiles(parseModelReference(reference) as HubReference, files).map(({ path }) => path);
}

describe("choosing a repository's file", () => {
  const usual = ["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-F16.gguf", "mmproj-m-F16.gguf", "README.md"];

  it("takes the one in the quantization that is named, else the first of the known order", () => {
    expect(choose("hf:a/b:q8_0", usual)).toEqual(["m-Q8_0.gguf"]);
    expect(choose("hf:a/b", usual)).toEqual(["m-Q4_K_M.gguf"]);
    expect(choose("hf:a/b:F16", usual)).toEqual(["m-F16.gguf"]);
    expect(choose("hf:a/b", ["m.UD-Q4_K_XL.gguf"])).toEqual(["m.UD-Q4_K_XL.gguf"]);
    expect(choose("hf:a/b:UD-Q4_K_XL", ["m.UD-Q4_K_XL.gguf", "m.Q4_K_M.gguf"])).toEqual(["m.UD-Q4_K_XL.gguf"]);
    expect(choose("hf:a/b", ["only.gguf"])).toEqual(["only.gguf"]);
  });

  it("takes all parts of a split one, by the folder's or the file's label, and misses none silently", () => {
    const parts = [1, 2].map((no) => `BF16/m-0000${no}-of-00002.gguf`);
    expect(choose("hf:a/b:BF16", [...parts, "m-Q8_0.gguf"])).toEqual(parts);
    expect(choose(`hf:a/b/${parts[1]}`, parts)).toEqual(parts);
    expect(() => choose("hf:a/b:BF16", parts.slice(0, 1))).toThrow(
      expect.objectContaining({ code: "download_not_found" }),
    );
  });
});

describe("waiting before another attempt", () => {
  it("is 100 ms doubling, times 0.5 to 1.5, and there are six attempts", () => {
    expect([1, 2, 3, 4, 5, 6].map((failures) => retryDelayMs(failures, 0.5))).toEqual([100, 200, 400, 800, 1_600, null]);
    expect([retryDelayMs(1, 0), retryDelayMs(1, 1)]).toEqual([50, 150]);
  });

  it("is what the server asks for, within reason", () => {
    expect(retryDelayMs(1, 0.5, 30)).toBe(30_000);
    expect(retryDelayMs(1, 0.5, 0)).toBe(100);
    expect(retryDelayMs(1, 0.5, 86_400)).toBe(300_000);
  });

  it("counts anew after an attempt that brought a good deal", () => {
    expect(failuresInARow(5, 1_000)).toBe(6);
    expect(failuresInARow(5, 8 * 1024 ** 2)).toBe(1);
  });
});
