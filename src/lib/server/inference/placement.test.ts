import { healthSchema, workerStateSchema } from "@rbee/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { place, type FleetView, type HiveView, type WorkerView } from "./placement.ts";

const worker = (change: Partial<WorkerView> = {}): WorkerView => ({
  workerId: "worker:1",
  hiveId: "attic",
  model: "bee",
  state: "ready",
  backend: "cpu",
  device: "cpu",
  slotsTotal: 4,
  running: 0,
  ...change,
});
const hive = (change: Partial<HiveView> = {}): HiveView => ({
  hiveId: "attic",
  name: "attic",
  health: "healthy",
  models: [{ id: "bee", sizeMb: 100 }],
  freeRamMb: 1_000,
  freeVramMb: [],
  workers: [],
  ...change,
});
const fleet = (...hives: HiveView[]): FleetView => ({ hives });
const request = { model: "bee" };

describe("placement", () => {
  it("takes the least busy worker, by share of its slots", () => {
    const busy = worker({ workerId: "worker:a", slotsTotal: 2, running: 2 });
    const free = worker({ workerId: "worker:b", slotsTotal: 8, running: 3 });
    expect(place(request, fleet(hive({ workers: [busy, free] })))).toEqual({ kind: "use", worker: free });
  });

  it("prefers a healthy hive to a degraded one", () => {
    const there = worker({ workerId: "worker:a", hiveId: "cellar" });
    const here = worker({ workerId: "worker:b", running: 4 });
    const household = fleet(
      hive({ hiveId: "cellar", health: "degraded", workers: [there] }),
      hive({ workers: [here] }),
    );
    expect(place(request, household)).toEqual({ kind: "use", worker: here });
  });

  it("takes no worker but where the request insists on", () => {
    const cellar = hive({ hiveId: "cellar", workers: [worker({ hiveId: "cellar" })] });
    const attic = hive({ workers: [worker({ workerId: "worker:gpu", backend: "cuda", device: "cuda:0" })] });
    const household = fleet(cellar, attic, hive({ hiveId: "shed" }));
    const chosen = (where: object) => {
      const placement = place({ ...request, ...where }, household);
      return placement.kind === "use" ? placement.worker.workerId : placement.kind;
    };
    expect(chosen({ hives: new Set(["cellar"]) })).toBe("worker:1");
    expect(chosen({ backend: "cuda" })).toBe("worker:gpu");
    expect(chosen({ backend: "cuda", device: "cuda:1" })).toBe("load");
    expect(place({ ...request, hives: new Set(["shed"]) }, household)).toMatchObject({
      kind: "load",
      hive: { hiveId: "shed" },
    });
    expect(place({ ...request, hives: new Set(["nowhere"]) }, household)).toMatchObject({ kind: "refuse" });
  });

  it("waits for a worker that is loading rather than loading another", () => {
    const loading = worker({ state: "loading" });
    expect(place(request, fleet(hive({ workers: [loading] })))).toEqual({ kind: "wait", worker: loading });
  });

  it("loads where the most memory is free", () => {
    const household = fleet(hive(), hive({ hiveId: "cellar", freeRamMb: 2_000 }));
    expect(place(request, household)).toMatchObject({ kind: "load", hive: { hiveId: "cellar" } });
  });

  it("asks a worker that just failed whether it is well, before it starts another", () => {
    const failed = worker();
    const avoid = new Set([failed.workerId]);
    expect(place({ model: "bee", avoid }, fleet(hive({ workers: [failed] })))).toEqual({
      kind: "wait",
      worker: failed,
    });
    const other = worker({ workerId: "worker:2" });
    expect(place({ model: "bee", avoid }, fleet(hive({ workers: [failed, other] })))).toEqual({
      kind: "use",
      worker: other,
    });
  });

  it("refuses with both numbers when memory is short", () => {
    expect(place(request, fleet(hive({ freeRamMb: 100 })))).toMatchObject({
      kind: "refuse",
      error: "insufficient_ram",
      memory: { needMb: 120, haveMb: 100 },
      reasons: ["attic has 100 MB free, bee needs about 120 MB"],
    });
  });

  it("says why for every hive", () => {
    const household = fleet(
      hive({ name: "attic", health: "down" }),
      hive({ name: "cellar", models: [] }),
      hive({ name: "garage", models: null }),
    );
    expect(place(request, household)).toMatchObject({
      error: "model_loading",
      soon: true,
      reasons: ["attic is down", "cellar does not have bee", "garage has not told which models it has"],
    });
    expect(place(request, fleet(hive({ health: "down" })))).toMatchObject({ error: "hive_down", soon: false });
    expect(place({ model: "wasp" }, fleet(hive()))).toMatchObject({ error: "model_not_found", soon: false });
  });
});

const anyModel = fc.constantFrom("bee", "wasp");
const anyHive = fc
  .record({
    hiveId: fc.uuid(),
    name: fc.string({ minLength: 1 }),
    health: fc.constantFrom(...healthSchema.options),
    models: fc.option(fc.array(fc.record({ id: anyModel, sizeMb: fc.nat(4_000) }), { maxLength: 2 })),
    freeRamMb: fc.option(fc.nat(4_000)),
    freeVramMb: fc.array(fc.option(fc.nat(4_000)), { maxLength: 2 }),
  })
  .chain((facts) =>
    fc
      .array(
        fc.record({
          workerId: fc.uuid(),
          model: anyModel,
          state: fc.constantFrom(...workerStateSchema.options),
          backend: fc.constant("cpu" as const),
          device: fc.constant("cpu"),
          slotsTotal: fc.option(fc.nat(8)),
          running: fc.nat(8),
        }),
        { maxLength: 3 },
      )
      .map((workers): HiveView => ({ ...facts, workers: workers.map((each) => ({ ...each, hiveId: facts.hiveId })) })),
  );

describe("placement on any fleet", () => {
  it("never uses a hive that is down or unheard of, a worker that cannot answer, or a hive without the model", () => {
    fc.assert(
      fc.property(fc.array(anyHive, { maxLength: 5 }), anyModel, fc.boolean(), (hives, model, avoiding) => {
        const avoid = new Set(avoiding ? hives.flatMap((each) => each.workers.slice(0, 1)).map((w) => w.workerId) : []);
        const decision = place({ model, avoid }, { hives });
        if (decision.kind === "refuse") {
          expect(decision.reasons.length).toBe(Math.max(1, hives.length));
          expect(decision.reasons.every((reason) => reason.length > 0)).toBe(true);
          return;
        }
        const hiveId = decision.kind === "load" ? decision.hive.hiveId : decision.worker.hiveId;
        const chosen = hives.find((each) => each.hiveId === hiveId);
        expect(["healthy", "degraded"]).toContain(chosen?.health);
        if (decision.kind === "load") expect(chosen?.models?.map(({ id }) => id)).toContain(model);
        else expect(decision.worker.model).toBe(model);
        if (decision.kind === "use") {
          expect(["ready", "busy"]).toContain(decision.worker.state);
          expect(avoid.has(decision.worker.workerId)).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
