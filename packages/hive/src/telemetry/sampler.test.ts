import { nodeTelemetrySchema, workerTelemetrySchema } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { Sampler, type WorkerFacts } from "./sampler.ts";
import { smooth } from "./smoothing.ts";

describe("smoothing", () => {
  it("starts with the first value and approaches a lasting change", () => {
    expect(smooth(null, 40, 1_000)).toBe(40);
    const after3s = smooth(0, 100, 3_000) ?? 0;
    expect(after3s).toBeGreaterThan(60);
    expect(after3s).toBeLessThan(66);
  });

  it("comes to the same in three steps of a second as in one of three", () => {
    const once = smooth(0, 100, 3_000) ?? 0;
    const inSteps = [1_000, 1_000, 1_000].reduce<number | null>((value, ms) => smooth(value, 100, ms), 0);
    expect(inSteps).toBeCloseTo(once, 9);
  });

  it("passes an unknown value on instead of inventing one", () => {
    expect(smooth(40, null, 1_000)).toBeNull();
  });
});

const worker = (pid: number | null): WorkerFacts => ({
  worker_id: "worker:1",
  model: "m",
  engine: "node-llama-cpp",
  backend: "cpu",
  device: "cpu",
  state: "ready",
  pid,
  uptime_s: 1,
  load_progress: null,
  slots_total: 1,
  slots_busy: 0,
  context_length: 4096,
  tokens_per_s: 0,
  idle_s: null,
  stops_in_s: null,
  queued: 0,
  restarts: 0,
  error: null,
});

describe("telemetry", () => {
  it("knows memory at once and CPU from the second sample on", async () => {
    const clock = new ManualClock();
    const sampler = new Sampler(clock, () => Promise.resolve([]));
    const first = nodeTelemetrySchema.parse(await sampler.node());
    expect(first.cpu_pct).toBeNull();
    expect(first.ram_used_mb).toBeGreaterThan(0);
    const end = performance.now() + 30;
    while (performance.now() < end);
    clock.advance(1_000);
    expect(nodeTelemetrySchema.parse(await sampler.node()).cpu_pct).toBeGreaterThanOrEqual(0);
  });

  it("measures a worker's process, and says null where there is none", async () => {
    const clock = new ManualClock();
    const sampler = new Sampler(clock, () => Promise.resolve([]));
    await sampler.workers([worker(process.pid)]);
    const end = performance.now() + 60;
    while (performance.now() < end);
    clock.advance(100);
    const [here, gone] = await sampler.workers([worker(process.pid), worker(null)]);
    expect(workerTelemetrySchema.parse(here).cpu_pct).toBeGreaterThan(10);
    expect(here?.rss_mb).toBeGreaterThan(10);
    expect(gone).toEqual(expect.objectContaining({ cpu_pct: null, rss_mb: null, vram_mb: null }));
  });

  it("tells what a worker's process holds on GPUs, and asks nobody for one that computes on the CPU", async () => {
    let asked = 0;
    const gpuMemory = () => {
      asked += 1;
      return new Map([[process.pid, 5_120]]);
    };
    const sampler = new Sampler(new ManualClock(), () => Promise.resolve([]), gpuMemory);
    await sampler.workers([worker(process.pid)]);
    expect(asked).toBe(0);
    const onGpu = { ...worker(process.pid), backend: "cuda", device: "cuda:0" } as const;
    const [known, unknown] = await sampler.workers([onGpu, { ...onGpu, pid: 1 }]);
    expect([known?.vram_mb, unknown?.vram_mb]).toEqual([5_120, null]);
  });
});
