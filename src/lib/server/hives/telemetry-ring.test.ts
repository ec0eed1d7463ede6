import { describe, expect, it } from "vitest";
import { createTelemetryRing, sampleOf } from "./telemetry-ring.ts";

const node = { cpu_pct: 12.34, ram_used_mb: 4_000, ram_total_mb: 16_000, load1: 1, gpus: [] };
const gpu = { id: "cuda:0", name: "x", temp_c: null, power_w: null };

describe("telemetry", () => {
  it("keeps the last 60 samples, oldest first", () => {
    const ring = createTelemetryRing();
    for (let ts = 0; ts < 75; ts++) ring.push(sampleOf(node, ts));
    expect(ring.list().map((sample) => sample.ts)).toEqual(Array.from({ length: 60 }, (_, n) => n + 15));
  });

  it("says null for what is not known, and the mean of what is", () => {
    expect(sampleOf({ ...node, cpu_pct: null, ram_total_mb: null }, 0)).toMatchObject({
      cpu_pct: null,
      ram_pct: null,
      gpu_pct: null,
      vram_pct: null,
    });
    const gpus = [
      { ...gpu, util_pct: 10, vram_used_mb: 1, vram_total_mb: 4 },
      { ...gpu, util_pct: null, vram_used_mb: 3, vram_total_mb: 4 },
    ];
    expect(sampleOf({ ...node, gpus }, 0)).toMatchObject({ cpu_pct: 12.3, ram_pct: 25, gpu_pct: 10, vram_pct: 50 });
  });
});
