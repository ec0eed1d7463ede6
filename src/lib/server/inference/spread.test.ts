import { unknownMemoryFacts } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { consider, place, reasonsIn, type FleetView, type HiveView, type WorkerView } from "./placement.ts";

const mbs = (mb: number) => mb * 1024 * 1024;
const big = { id: "big", size_bytes: mbs(6_000), context_length: 1024, memory: null };
const hive = (name: string, freeMb: number, change: Partial<HiveView> = {}): HiveView => ({
  hiveId: name,
  name,
  health: "healthy",
  models: [big],
  devices: [{ id: "cpu", backend: "cpu" }],
  freeMb: { ram: freeMb },
  limitMb: null,
  usualSlots: 4,
  spreading: { release: "b1", backends: ["cpu"] },
  workers: [],
  ...change,
});
const across = (...hives: HiveView[]): FleetView => ({
  hives,
  across: new Map([["big", hives.map(({ hiveId }) => hiveId)]]),
});
const idle = (hiveId: string, mb: number): WorkerView => ({
  ...{ workerId: `worker:${hiveId}`, hiveId, model: "other", state: "ready", backend: "cpu", device: "cpu" },
  ...{ slotsTotal: 4, running: 0, idleS: 60 },
  promised: { deviceMb: 0, ramMb: mb * 1.2 },
  holds: { deviceMb: 0, ramMb: mb },
});
const request = { model: "big" };

describe("a model that the household spreads", () => {
  it("goes to all of its machines, each with as much as it has room for, the first one that has the files leading", () => {
    const fleet = across(hive("attic", 2_500, { models: [] }), hive("cellar", 5_000), hive("garage", 2_500));
    const placement = place(request, fleet);
    expect(placement).toMatchObject({ kind: "load", hive: { name: "cellar" }, device: "cpu", evicts: [] });
    if (placement.kind !== "load") return;
    expect(placement.spread?.parts).toEqual([
      { name: "cellar", share: expect.closeTo(0.5, 1) as number },
      { name: "attic", share: expect.closeTo(0.25, 1) as number },
      { name: "garage", share: expect.closeTo(0.25, 1) as number },
    ]);
    expect(placement.spread?.helpers.map(({ hive: { name } }) => name)).toEqual(["attic", "garage"]);
    // What all of them promise is about what the model takes, and each part fits.
    const promised = [placement.promised, ...(placement.spread?.helpers ?? []).map((helper) => helper.promised)];
    const sum = promised.reduce((all, { ramMb }) => all + ramMb, 0);
    expect(sum).toBeGreaterThan(6_000 * 1.2);
    expect(sum).toBeLessThan(6_000 * 1.2 + 500);
    expect(promised[1]?.ramMb).toBeLessThanOrEqual(2_500);
  });

  it("is refused with both figures of every machine when even together they lack the memory", () => {
    const fleet = across(hive("attic", 2_000), hive("cellar", 1_000));
    expect(place(request, fleet)).toMatchObject({ kind: "refuse", error: "insufficient_ram" });
    const reasons = reasonsIn(request, consider(request, fleet));
    expect(reasons[0]).toMatch(/^attic has 2000 MB of memory free, its 65 % of big needs about \d{4} MB$/u);
    expect(reasons[1]).toMatch(/^cellar has 1000 MB of memory free, its 35 % of big needs about \d{4} MB$/u);
  });

  it("divides what is free beside what each needs in any case, so that all of it is used", () => {
    // 6000 MB and a fifth more, and 162 and 29 for the processes: there is hardly anything over.
    const fleet = across(hive("attic", 1_300), hive("cellar", 6_150));
    expect(place(request, fleet)).toMatchObject({ kind: "load", spread: { parts: [{}, {}] } });
  });

  it("leaves out a machine that has too little for any part of it", () => {
    const card = hive("attic", 9_000, {
      models: [],
      devices: [{ id: "cuda:0", backend: "cuda" }],
      spreading: { release: "b1", backends: ["cuda"] },
      freeMb: { ram: 9_000, "cuda:0": 350 },
    });
    const two = place(request, across(hive("cellar", 5_000), card, hive("garage", 5_000)));
    expect(two).toMatchObject({ kind: "load", spread: { parts: [{ name: "cellar" }, { name: "garage" }] } });
    const alone = place(request, across(hive("cellar", 9_000), card, hive("garage", 30)));
    expect(alone).toMatchObject({ kind: "load", hive: { name: "cellar" }, evicts: [] });
    expect(alone).not.toHaveProperty("spread");
    const idleThere = hive("cellar", 4_000, { workers: [idle("cellar", 5_000)] });
    expect(place(request, across(idleThere, card))).toMatchObject({
      kind: "load",
      evicts: [{ workerId: "worker:cellar" }],
    });
  });

  it("says what the others lack, or waits for them, when one is left out", () => {
    const full = hive("garage", 30, { models: [] });
    const fleet = across(hive("cellar", 2_000), hive("attic", 2_000), full);
    expect(place(request, fleet)).toMatchObject({ kind: "refuse", memory: { haveMb: 2_000 } });
    expect(reasonsIn(request, consider(request, fleet))[2]).toMatch(
      /^garage has 30 MB of memory free, its 0 % of big/u,
    );
    const busy = hive("cellar", 2_000, { workers: [{ ...idle("cellar", 7_000), state: "busy", running: 1 }] });
    expect(place(request, across(busy, full))).toMatchObject({ kind: "later", frees: [{ workerId: "worker:cellar" }] });
  });

  it("asks for no layers of the main machine's own card, since what each computes is decided here", () => {
    const withCard = (name: string, mb: number) =>
      hive(name, 700, {
        models: [{ ...big, memory: { ...unknownMemoryFacts, layers: 32 } }],
        devices: [{ id: "cuda:0", backend: "cuda" }],
        spreading: { release: "b1", backends: ["cuda"] },
        freeMb: { ram: 700, "cuda:0": mb },
      });
    // Half of its layers in main memory, as set for when it runs alone, would not fit there.
    const asked = { ...request, options: { gpu_layers: 16 } };
    expect(place(asked, across(withCard("attic", 5_000), withCard("cellar", 5_000)))).toMatchObject({
      kind: "load",
      device: "cuda:0",
      promised: { ramMb: expect.closeTo(161, -1) as number },
    });
  });

  it("computes in main memory where the cards are too small, on as few machines as that takes", () => {
    const withCard = (name: string, ram: number, card: number) =>
      hive(name, ram, {
        devices: [
          { id: "cpu", backend: "cpu" },
          { id: "cuda:0", backend: "cuda" },
        ],
        spreading: { release: "b1", backends: ["cpu", "cuda"] },
        freeMb: { ram, "cuda:0": card },
      });
    const devicesOf = (...hives: HiveView[]) => {
      const placement = place(request, across(...hives));
      if (placement.kind !== "load") return placement;
      return [placement.device, ...(placement.spread?.helpers.map(({ device: { id } }) => id) ?? [])];
    };
    expect(devicesOf(withCard("attic", 60_000, 5_000), withCard("cellar", 9_000, 5_000))).toEqual(["cuda:0", "cuda:0"]);
    expect(devicesOf(withCard("attic", 60_000, 2_000), withCard("cellar", 9_000, 2_000))).toEqual(["cpu", "cuda:0"]);
    expect(devicesOf(withCard("attic", 3_500, 1_000), withCard("cellar", 5_500, 1_000))).toEqual(["cpu", "cpu"]);
  });

  it("has workers that are idle make room, on helpers too", () => {
    const fleet = across(hive("attic", 4_500), hive("cellar", 500, { workers: [idle("cellar", 5_000)] }));
    expect(place(request, fleet)).toMatchObject({ kind: "load", evicts: [{ workerId: "worker:cellar" }] });
  });

  it("runs on those that are left when one is down, if it fits there", () => {
    const down = hive("cellar", 9_000, { health: "down" });
    const alone = place(request, across(hive("attic", 9_000), down));
    expect(alone).toMatchObject({ kind: "load", hive: { name: "attic" } });
    expect(alone).not.toHaveProperty("spread");
    const two = place(request, across(hive("attic", 5_000), down, hive("garage", 5_000)));
    expect(two).toMatchObject({ kind: "load", spread: { parts: [{ name: "attic" }, { name: "garage" }] } });
  });

  it("names the machine that is missing when it does not fit without it", () => {
    const down = hive("cellar", 9_000, { health: "down" });
    expect(place(request, across(hive("attic", 3_000), down))).toMatchObject({
      kind: "refuse",
      error: "hive_down",
      reasons: [expect.stringContaining("attic has 3000 MB"), "cellar is down"],
    });
  });

  it("waits for a machine that is only just starting", () => {
    const starting = hive("cellar", 9_000, { health: "starting" });
    expect(place(request, across(hive("attic", 9_000), starting))).toMatchObject({ kind: "refuse", soon: true });
  });

  it("takes a machine on which that has just failed as missing", () => {
    const error = Object.assign(new Error("no"), { code: "hive_unreachable" });
    const failing = new Map([["cellar", { failures: 1, error: error as never, retryAfterS: 0 }]]);
    const fleet = across(hive("attic", 9_000), hive("cellar", 9_000));
    expect(place({ ...request, failing }, fleet)).toMatchObject({ kind: "load", hive: { name: "attic" } });
  });

  it("needs llama-server of one release everywhere", () => {
    const without = hive("cellar", 9_000, { spreading: { problem: "no llama-server was found on this machine" } });
    expect(place(request, across(hive("attic", 9_000), without))).toMatchObject({
      error: "backend_unavailable",
      reasons: ["cellar cannot share a model: no llama-server was found on this machine"],
    });
    const other = hive("cellar", 9_000, { spreading: { release: "b2", backends: ["cpu"] } });
    expect(place(request, across(hive("attic", 9_000), other))).toMatchObject({
      error: "backend_unavailable",
      reasons: [expect.stringContaining("cellar has llama.cpp b2 and attic b1")],
    });
  });

  it("says where to get its files when none of its machines has them", () => {
    const fleet = across(hive("attic", 9_000, { models: [] }), hive("cellar", 9_000, { models: [] }));
    expect(place(request, fleet)).toMatchObject({
      error: "model_not_found",
      suggestion: "One of these machines needs its files: `rbee model pull big --hive attic`.",
    });
  });

  it("goes where a request insists on, and is used where it runs already", () => {
    const fleet = across(hive("attic", 9_000), hive("cellar", 9_000));
    const there = place({ ...request, hives: new Set(["cellar"]) }, fleet);
    expect(there).toMatchObject({ kind: "load", hive: { name: "cellar" } });
    expect(there).not.toHaveProperty("spread");
    const worker = { ...idle("attic", 3_000), model: "big" };
    expect(place(request, across(hive("attic", 9_000, { workers: [worker] }), hive("cellar", 0)))).toMatchObject({
      kind: "use",
    });
  });
});
