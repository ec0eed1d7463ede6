import { poolOf, type Device, type RbeeError, type WorkerSpawn } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { crashesInARow, restartDelayMs } from "./backoff.ts";
import { afterPromises, placeWorker, type Machine } from "./placement.ts";
import { computeThreads, sharedThreads, type Processor } from "./threads.ts";

const device = (id: string, backend: "cpu" | "cuda" | "metal") => ({
  id,
  backend,
  name: id,
  vram_total_mb: null,
  compute_capability: null,
});

const machine = (changes: Partial<Machine["memory"]> = {}): Machine => ({
  backends: ["cpu", "cuda"],
  devices: [device("cpu", "cpu"), device("cuda:0", "cuda"), device("cuda:1", "cuda")],
  memory: {
    ramFreeMb: 16_000,
    vramFreeMb: new Map([
      ["cuda:0", 4_000],
      ["cuda:1", 8_000],
    ]),
    ...changes,
  },
});

/** What a worker on a GPU takes of main memory. */
const ramBesideMb = 200;
const place = (request: Partial<WorkerSpawn>, needMb: number, on = machine()) => {
  const need = (device: Device) =>
    poolOf(device) === "ram" ? { device_mb: 0, ram_mb: needMb } : { device_mb: needMb, ram_mb: ramBesideMb };
  return placeWorker(
    { model: "m", ...request },
    { least: need, chosen: (device) => ({ tokens: 4_096, why: "set", need: need(device) }) },
    on,
  );
};

function refusal(request: Partial<WorkerSpawn>, needMb: number, on = machine()): RbeeError {
  try {
    place(request, needMb, on);
  } catch (error) {
    return error as RbeeError;
  }
  throw new Error("it was placed");
}

describe("placing a worker", () => {
  it("takes the GPU with the most room when nothing is asked for", () => {
    expect(place({}, 3_000)).toMatchObject({ backend: "cuda", device: "cuda:1" });
  });

  it("takes the CPU when nothing is asked for and no GPU has room", () => {
    expect(place({}, 9_000)).toMatchObject({ backend: "cpu", device: "cpu" });
  });

  it("never falls back from a GPU that was asked for", () => {
    expect(refusal({ backend: "cuda" }, 9_000)).toMatchObject({
      code: "insufficient_vram",
      status: 507,
      details: { need_mb: 9_000, have_mb: 8_000 },
    });
    expect(refusal({ device: "cuda:0" }, 5_000)).toMatchObject({
      code: "insufficient_vram",
      details: { have_mb: 4_000 },
    });
  });

  it("takes exactly the device asked for", () => {
    expect(place({ device: "cuda:0" }, 3_000)).toMatchObject({ backend: "cuda", device: "cuda:0" });
    expect(place({ backend: "cpu" }, 3_000)).toMatchObject({ backend: "cpu", device: "cpu" });
  });

  it("names what there is when a backend or device does not exist", () => {
    expect(refusal({ backend: "metal" }, 1)).toMatchObject({
      code: "backend_unavailable",
      param: "backend",
      details: { available_backends: ["cpu", "cuda"] },
    });
    expect(refusal({ device: "cuda:7" }, 1)).toMatchObject({
      code: "backend_unavailable",
      param: "device",
      details: { available_devices: ["cpu", "cuda:0", "cuda:1"] },
    });
    expect(refusal({ backend: "cpu", device: "cuda:0" }, 1)).toMatchObject({ code: "backend_unavailable" });
  });

  it("does not use a GPU that the engine cannot drive", () => {
    expect(refusal({ device: "cuda:0" }, 1, { ...machine(), backends: ["cpu"] })).toMatchObject({
      code: "backend_unavailable",
    });
  });

  it("refuses the CPU without enough memory, and does not hold unknown memory against anybody", () => {
    expect(refusal({ backend: "cpu" }, 17_000)).toMatchObject({
      code: "insufficient_ram",
      details: { have_mb: 16_000 },
    });
    expect(place({ backend: "cpu" }, 17_000, machine({ ramFreeMb: null }))).toMatchObject({
      backend: "cpu",
      device: "cpu",
    });
    expect(place({ device: "cuda:0" }, 9_000, machine({ vramFreeMb: new Map([["cuda:0", null]]) }))).toMatchObject({
      backend: "cuda",
      device: "cuda:0",
    });
  });

  it("judges a GPU that shares main memory by main memory", () => {
    const mac: Machine = {
      backends: ["cpu", "metal"],
      devices: [device("cpu", "cpu"), { ...device("metal:0", "metal"), memory_of: "ram" }],
      memory: { ramFreeMb: 2_000, vramFreeMb: new Map() },
    };
    expect(refusal({ backend: "metal" }, 3_000, mac)).toMatchObject({ code: "insufficient_ram" });
  });
});

describe("promised memory", () => {
  const cpu = (mb: number, takesMemory: boolean) => ({
    pool: "ram",
    need: { device_mb: 0, ram_mb: mb },
    takesMemory,
  });

  it("is taken off while a model loads, on the GPU as in main memory", () => {
    const loading = { pool: "cuda:0", need: { device_mb: 3_000, ram_mb: 200 }, takesMemory: true };
    const left = afterPromises(machine().memory, [loading, cpu(1_000, true), cpu(5_000, false)], undefined);
    expect(left.ramFreeMb).toBe(14_800);
    expect(left.vramFreeMb).toEqual(
      new Map([
        ["cuda:0", 1_000],
        ["cuda:1", 8_000],
      ]),
    );
  });

  it("is all counted where somebody limited what workers may take, even if more is free", () => {
    const left = (limitMb: number) => afterPromises(machine().memory, [cpu(300, false), cpu(200, true)], limitMb);
    expect(left(1_000).ramFreeMb).toBe(500);
    expect(left(400).ramFreeMb).toBe(-100);
    expect(left(1e6).ramFreeMb).toBe(15_800);
  });

  it("of main memory is missed by a worker on a GPU too", () => {
    expect(refusal({ backend: "cuda" }, 1_000, machine({ ramFreeMb: 100 }))).toMatchObject({
      code: "insufficient_ram",
      details: { need_mb: ramBesideMb, have_mb: 100, device: "cuda:1" },
    });
  });
});

describe("restarting", () => {
  it("waits 1, 2, 4, 8 and 16 s, then gives up", () => {
    expect([1, 2, 3, 4, 5, 6].map(restartDelayMs)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, null]);
  });

  it("counts anew after a worker had been well for a minute", () => {
    expect(crashesInARow(4, 5_000)).toBe(5);
    expect(crashesInARow(4, null)).toBe(5);
    expect(crashesInARow(4, 60_000)).toBe(1);
  });
});

describe("compute threads", () => {
  const of = (processor: Partial<Processor>, shared = false, setting?: number) =>
    computeThreads({ cores: 8, fastCores: null, threads: 16, usableThreads: 16, ...processor }, { shared, setting });

  it("are the physical cores, one less on a shared machine, never none, and what is set", () => {
    expect(of({})).toBe(8);
    expect(of({}, true)).toBe(7);
    expect(of({ cores: 1 }, true)).toBe(1);
    expect(of({ cores: null })).toBe(8);
    expect(of({}, true, 3)).toBe(3);
  });

  it("leave efficiency cores out, and stay within what the process may use", () => {
    expect(of({ cores: 14, fastCores: 6 })).toBe(6);
    expect(of({ usableThreads: 2 })).toBe(2);
    expect(of({ usableThreads: 2 }, true)).toBe(1);
  });

  it("are divided among workers that compute at the same time", () => {
    expect([0, 1, 2, 3, 9].map((busy) => sharedThreads(7, busy))).toEqual([7, 7, 3, 2, 1]);
  });
});
