import { defaultSlots, estimateMemory, memorySafety, workerTelemetrySchema, type HiveFit } from "@rbee/contract";
import { hiveSettings } from "@rbee/settings";
import { describe, expect, it } from "vitest";
import { capabilities, heartbeat, hiveModel, newHiveId } from "#lib/server/testing/index.ts";
import { fitOn, memoryNeedOn, type DeviceMemory, type HiveMemory, type ModelShape } from "./fit.ts";
import { hiveMemory } from "./hive-memory.ts";
import { starterFacts, starters } from "./starters.ts";

const mb = 1024 * 1024;
const model: ModelShape = { sizeBytes: 4_000 * mb, trainedContext: 32_768, facts: null };
const cpu = (freeMb: number | null, unloadedMb = freeMb): DeviceMemory => ({
  ...{ id: "cpu", backend: "cpu", sharesRam: true },
  freeMb,
  unloadedMb,
});
const cuda = (freeMb: number | null, unloadedMb = freeMb, index = 0): DeviceMemory => ({
  ...{ id: `cuda:${index}`, backend: "cuda", sharesRam: false },
  freeMb,
  unloadedMb,
});
const fit = (devices: DeviceMemory[], change: Partial<HiveMemory> = {}, there: string | null = null): HiveFit => {
  const hive: HiveMemory = {
    hiveId: "hive:1",
    name: "attic",
    health: "healthy",
    devices,
    diskFreeMb: 50_000,
    slots: 4,
    ...change,
  };
  return fitOn(model, hive, { contextLength: undefined, there });
};

describe("whether a model fits on a hive", () => {
  it("is asked with the slots that a hive gives a worker", () => {
    expect(hiveSettings.workerSlots.fallback({})).toBe(defaultSlots);
  });

  it("needs what the hive itself will demand, and more with a longer context", () => {
    const [starter] = starters;
    if (starter === undefined) throw new Error("there is no starter");
    const { sizeBytes, contextLength: trainedContext } = starter;
    const facts = starterFacts(starter);
    const asked = { backend: "cpu", slots: defaultSlots, contextLength: 4_096 } as const;
    const demanded = estimateMemory({ sizeBytes, trainedContext, facts }, asked).device_mb * memorySafety;
    const shape = { sizeBytes, trainedContext, facts };
    expect(memoryNeedOn(shape, cpu(null), { slots: defaultSlots, contextLength: 4_096 })).toBe(Math.ceil(demanded));
    expect(memoryNeedOn(shape, cpu(null), { slots: defaultSlots, contextLength: 16_384 })).toBeGreaterThan(
      memoryNeedOn(shape, cpu(null), { slots: defaultSlots, contextLength: undefined }),
    );
  });

  it.each([
    ["fits", cpu(8_000)],
    ["fits_after_unloading", cpu(2_000, 8_000)],
    ["too_big", cpu(2_000, 4_500)],
    ["unknown", cpu(null)],
  ] as const)("%s", (verdict, device) => {
    const told = fit([device]);
    expect(told).toMatchObject({ verdict, device: "cpu" });
    expect(told.reason).toContain("attic");
    expect(told.need_mb).toBeGreaterThan(4_000 * memorySafety);
  });

  it("prefers the GPU, takes the CPU when only that has room, and never adds two devices up", () => {
    expect(fit([cpu(64_000), cuda(12_000)])).toMatchObject({ verdict: "fits", device: "cuda:0" });
    expect(fit([cpu(64_000), cuda(4_000)])).toMatchObject({ verdict: "fits", device: "cpu" });
    expect(fit([cpu(2_000), cuda(1_000), cuda(4_000, 4_000, 1)])).toMatchObject({
      ...{ verdict: "too_big", device: "cuda:1" },
      have_mb: 4_000,
    });
    expect(fit([cpu(2_000), cuda(3_000, 9_000)])).toMatchObject({ verdict: "fits_after_unloading", device: "cuda:0" });
  });

  it("says what the disk lacks, unless the model is there already", () => {
    expect(fit([cpu(8_000)], { diskFreeMb: 4_000 }).disk).toEqual({ need_mb: 4_512, have_mb: 4_000, enough: false });
    expect(fit([cpu(8_000)], { diskFreeMb: null }).disk.enough).toBe(null);
    expect(fit([cpu(8_000)], { diskFreeMb: 10 }, "bee")).toMatchObject({ model: "bee", disk: { enough: true } });
  });

  it("is not known of a hive that is down or has not told anything", () => {
    expect(fit([cpu(8_000)], { health: "down" })).toMatchObject({ verdict: "unknown", reason: "attic is down" });
    expect(fit([], { health: "healthy" })).toMatchObject({ verdict: "unknown", device: null, have_mb: null });
  });
});

describe("the memory of a hive", () => {
  const hiveId = newHiveId();
  const worker = {
    ...{ worker_id: "worker:1", model: "bee", engine: "node-llama-cpp", state: "ready", pid: 1, cpu_pct: 0 },
    ...{ uptime_s: 1, load_progress: 1, slots_total: 4, slots_busy: 0, tokens_per_s: null, idle_s: 5 },
  };
  const gpu = { name: "RTX", util_pct: 0, temp_c: null, power_w: null, vram_used_mb: 6_000, vram_total_mb: 8_000 };
  const told = {
    ...capabilities(hiveId, [hiveModel("bee", 3_000)]),
    backends: ["cpu", "cuda"] as ("cpu" | "cuda")[],
    devices: [
      { id: "cpu", backend: "cpu" as const, name: "CPU", vram_total_mb: null, compute_capability: null },
      { id: "cuda:0", backend: "cuda" as const, name: "RTX", vram_total_mb: 8_000, compute_capability: "8.6" },
      { id: "vulkan:0", backend: "vulkan" as const, name: "RTX", vram_total_mb: 8_000, compute_capability: null },
    ],
  };
  const node = { cpu_pct: 1, ram_used_mb: 10_000, ram_total_mb: 16_000, load1: 0, gpus: [{ id: "cuda:0", ...gpu }] };
  const seen = (workers: Parameters<typeof heartbeat>[1] = {}) =>
    hiveMemory({
      ...{ hiveId, name: "attic", health: "healthy" },
      capabilities: told,
      heartbeat: heartbeat(hiveId, { node, ...workers }),
    });

  it("is what is free now, and what its workers hold besides", () => {
    const onCpu = workerTelemetrySchema.parse({
      ...worker,
      backend: "cpu",
      device: "cpu",
      rss_mb: 2_000,
      vram_mb: null,
    });
    expect(seen({ workers: [onCpu] }).devices).toEqual([cpu(6_000, 8_000), cuda(2_000)]);
    expect(hiveMemory({ ...seen(), capabilities: null, heartbeat: null }).devices).toEqual([]);
  });

  it("is no more than the hive may take in all", () => {
    const limited = { ...told, memory_limit_mb: 3_000 };
    const onCpu = workerTelemetrySchema.parse({
      ...worker,
      backend: "cpu",
      device: "cpu",
      rss_mb: 2_000,
      vram_mb: null,
    });
    const hive = { hiveId, name: "attic", health: "healthy" as const, capabilities: limited };
    const { devices } = hiveMemory({ ...hive, heartbeat: heartbeat(hiveId, { node, workers: [onCpu] }) });
    expect(devices[0]).toEqual(cpu(1_000, 3_000));
  });

  it("takes a worker's share of a GPU from its model when the GPU does not tell", () => {
    const held = { backend: "cuda", device: "cuda:0", rss_mb: 300, vram_mb: null };
    const onGpu = workerTelemetrySchema.parse({ ...worker, ...held });
    expect(seen({ workers: [onGpu] }).devices.at(-1)).toEqual(cuda(2_000, 5_000));
    expect(seen({ workers: [{ ...onGpu, vram_mb: 4_000 }] }).devices.at(-1)).toEqual(cuda(2_000, 6_000));
  });

  it("leaves out devices that no worker can be started on", () => {
    expect(seen().devices.map(({ id }) => id)).not.toContain("vulkan:0");
  });
});

describe("the list of models to begin with", () => {
  it("goes from small to large, and each entry says what to pull and what it is good at", () => {
    const sizes = starters.map(({ sizeBytes }) => sizeBytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    for (const { reference, goodAt, sizeBytes, parameters } of starters) {
      expect(reference).toMatch(/^hf:[^/]+\/[^/]+:[A-Z0-9_]+$/u);
      expect(goodAt).toMatch(/\.$/u);
      // Between three and nine bits for each parameter: a slip in one of the two figures shows.
      expect((sizeBytes * 8) / parameters).toBeGreaterThan(3);
      expect((sizeBytes * 8) / parameters).toBeLessThan(9);
    }
  });
});
