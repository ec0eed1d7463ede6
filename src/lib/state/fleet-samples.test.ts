import { describe, expect, it } from "vitest";
import { exampleFleet, exampleHive, exampleNow as now } from "./fleet-fixtures.ts";
import { sampleOf, vramOf, withSnapshot } from "./fleet-samples.ts";

const hive = exampleHive();
const gpu = { id: "cuda:0", name: "RTX", util_pct: 50, vram_used_mb: 4, vram_total_mb: 8, temp_c: null, power_w: null };

describe("the last minute of a hive", () => {
  it("grows by one sample a snapshot and forgets what is older than a minute", () => {
    let samples = withSnapshot({}, exampleFleet({ ts: now }));
    for (let second = 1; second <= 90; second++)
      samples = withSnapshot(samples, exampleFleet({ ts: now + second * 1000 }));
    const past = samples[hive.hive_id] ?? [];
    expect(past).toHaveLength(60);
    expect(past.at(-1)).toEqual({ ts: now + 90_000, cpu_pct: 12, ram_pct: 25, gpu_pct: null, vram_pct: null });
  });

  it("takes the same snapshot once only", () => {
    const once = withSnapshot({}, exampleFleet());
    expect(withSnapshot(once, exampleFleet())[hive.hive_id]).toHaveLength(1);
  });

  it("has a gap, not a flat line, while a hive does not answer", () => {
    expect(sampleOf(exampleHive({ health: "down" }), now).cpu_pct).toBeNull();
  });

  it("forgets a hive that left", () => {
    expect(withSnapshot(withSnapshot({}, exampleFleet()), exampleFleet({ hives: [] }))).toEqual({});
  });

  it("adds the memory of all cards, and does not guess one that is silent", () => {
    const node = { cpu_pct: 1, ram_used_mb: 1, ram_total_mb: 2, load1: null, gpus: [gpu, gpu] };
    expect(vramOf({ node })).toEqual({ usedMb: 8, totalMb: 16 });
    expect(vramOf({ node: { ...node, gpus: [gpu, { ...gpu, vram_used_mb: null }] } })).toEqual({
      usedMb: null,
      totalMb: 16,
    });
    expect(vramOf({ node: null })).toEqual({ usedMb: null, totalMb: null });
  });
});
