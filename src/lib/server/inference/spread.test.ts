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
      { name: "cellar", share: 0.5 },
      { name: "attic", share: 0.25 },
      { name: "garage", share: 0.25 },
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
    expect(reasons[0]).toMatch(/^attic has 2000 MB of memory free, its 67 % of big needs about \d{4} MB$/u);
    expect(reasons[1]).toMatch(/^cellar has 1000 MB of memory free, its 33 % of big needs about \d{4} MB$/u);
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
