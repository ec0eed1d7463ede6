import { describe, expect, it } from "vitest";
import { fakeTool, fixture, fixturePath } from "../testing/fixture.ts";
import { AppleSource, parseDisplays } from "./apple.ts";

describe("Apple's GPUs", () => {
  it("are found with unified memory on Apple silicon", async () => {
    const source = new AppleSource(fakeTool(`cat ${fixturePath("system-profiler-m1.json")}`));
    await source.start();
    expect(await source.read()).toEqual([
      expect.objectContaining({ id: "metal:0", name: "Apple M1 Pro", unified_memory: true, vram_total_mb: null }),
    ]);
  });

  it("are all listed on a Mac with two, with memory of their own", () => {
    expect(
      parseDisplays(fixture("system-profiler-intel.json")).map(({ id, name, unified_memory }) => [
        id,
        name,
        unified_memory,
      ]),
    ).toEqual([
      ["metal:0", "Intel UHD Graphics 630", false],
      ["metal:1", "AMD Radeon Pro 5300M", false],
    ]);
  });

  it("are none when the tool is missing or prints something else", async () => {
    const source = new AppleSource("/nonexistent/system_profiler");
    await source.start();
    expect(await source.read()).toEqual([]);
    expect(parseDisplays("no displays")).toEqual([]);
    expect(parseDisplays("{}")).toEqual([]);
  });
});
