import { healthSchema, memoryNeed, poolOf, RbeeError, workerStateSchema, type Backend } from "@rbee/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fewest } from "./eviction.ts";
import { consider, place, type FleetView, type HiveView, type ModelView, type WorkerView } from "./placement.ts";

const mbs = (mb: number) => mb * 1024 * 1024;
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
/** One of another model with nothing to do, which holds so much memory. */
const idle = (name: string, mb: number, idleS: number, change: Partial<WorkerView> = {}) =>
  worker({
    workerId: `worker:${name}`,
    model: name,
    idleS,
    promised: { deviceMb: 0, ramMb: mb * 1.2 },
    holds: { deviceMb: 0, ramMb: mb },
    ...change,
  });
const model = (id: string, mb: number): ModelView => ({ id, size_bytes: mbs(mb), context_length: 1024, memory: null });
const cpu = { id: "cpu", backend: "cpu" as const };
const cuda = { id: "cuda:0", backend: "cuda" as const };
const hive = (change: Partial<HiveView> = {}): HiveView => ({
  hiveId: "attic",
  name: "attic",
  health: "healthy",
  models: [model("bee", 100)],
  devices: [cpu],
  freeMb: { ram: 1_000 },
  limitMb: null,
  usualSlots: 4,
  workers: [],
  ...change,
});
const fleet = (...hives: HiveView[]): FleetView => ({ hives });
const request = { model: "bee" };
/** What a worker of a model of 100 MB is promised: a header that is silent leaves its size and the process. */
const need = memoryNeed(
  { sizeBytes: mbs(100), trainedContext: 1024, facts: null },
  { backend: "cpu", slots: 4 },
  true,
).ram_mb;

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

  it("waits for a worker that is loading rather than loading another", () => {
    const loading = worker({ state: "loading" });
    expect(place(request, fleet(hive({ workers: [loading] })))).toEqual({ kind: "wait", worker: loading });
  });

  it("loads where the most memory is free, on a GPU before the CPU", () => {
    const household = fleet(hive(), hive({ hiveId: "cellar", freeMb: { ram: 2_000 } }));
    expect(place(request, household)).toMatchObject({ kind: "load", hive: { hiveId: "cellar" }, device: "cpu" });
    const card = hive({ hiveId: "den", devices: [cpu, cuda], freeMb: { ram: 900, "cuda:0": 900 } });
    expect(place(request, fleet(...household.hives, card))).toMatchObject({
      kind: "load",
      backend: "cuda",
      device: "cuda:0",
      evicts: [],
    });
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

  it("asks a server of others that just failed only once more, when there is nothing else", () => {
    const source = { kind: "ollama" as const, name: "Ollama", address: null, model: "bee" };
    const failed = worker({ workerId: "worker:ext-1", engine: "external", external: source, slotsTotal: null });
    const avoid = new Set([failed.workerId]);
    expect(place({ model: "bee", avoid }, fleet(hive({ workers: [failed] })))).toMatchObject({ kind: "load" });
    expect(place({ model: "bee", avoid }, fleet(hive({ models: [], workers: [failed] })))).toEqual({
      kind: "wait",
      worker: failed,
    });
  });

  it("refuses with both numbers when memory is short", () => {
    expect(place(request, fleet(hive({ freeMb: { ram: 100 } })))).toMatchObject({
      kind: "refuse",
      error: "insufficient_ram",
      memory: { needMb: need, haveMb: 100 },
      reasons: [`attic has 100 MB of memory free, bee needs about ${need} MB`],
    });
  });

  it("loads a model that is set to an engine only where that is, and only on what that computes with", () => {
    const set = { model: "bee", options: { engine: "llama-server" as const } };
    const without = hive();
    expect(place(set, fleet(without))).toMatchObject({
      kind: "refuse",
      error: "backend_unavailable",
      engine: "llama-server",
      reasons: ["attic has no llama-server, which bee is set to run on"],
    });
    const having = hive({ hiveId: "den", name: "den", freeMb: { ram: 900 }, engines: { "llama-server": [cpu] } });
    expect(place(set, fleet(without, having))).toMatchObject({ kind: "load", hive: { hiveId: "den" }, device: "cpu" });
    expect(place(request, fleet(without, having))).toMatchObject({ kind: "load", hive: { hiveId: "attic" } });
    const card = { devices: [cpu, cuda], freeMb: { ram: 900, "cuda:0": 900 } };
    expect(place(set, fleet(hive({ ...card, engines: { "llama-server": [cpu] } })))).toMatchObject({ device: "cpu" });
    expect(
      place({ ...set, device: "cuda:0" }, fleet(hive({ ...card, engines: { "llama-server": [cpu] } }))),
    ).toMatchObject({ kind: "refuse", error: "backend_unavailable" });
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
    expect(place(request, fleet())).toMatchObject({ error: "model_not_found", soon: false });
  });

  it("gives a named backend or device exactly that, and says what there is otherwise", () => {
    const card = hive({ devices: [cpu, cuda], freeMb: { ram: 10_000, "cuda:0": 10 } });
    expect(place({ ...request, backend: "cuda" }, fleet(card))).toMatchObject({
      kind: "refuse",
      error: "insufficient_vram",
    });
    expect(place({ ...request, backend: "cpu" }, fleet(card))).toMatchObject({ kind: "load", device: "cpu" });
    expect(place({ ...request, device: "cuda:1" }, fleet(card, hive({ hiveId: "cellar" })))).toMatchObject({
      error: "backend_unavailable",
      available: { backends: ["cpu", "cuda"], devices: ["cpu", "cuda:0"] },
    });
  });

  it("does not promise memory twice: not that of a worker that is coming, and no more than its hive may give", () => {
    const coming = idle("wasp", 0, 0, { state: "starting", promised: { deviceMb: 0, ramMb: 900 } });
    expect(place(request, fleet(hive({ workers: [coming] }))).kind).toBe("later");
    const there = idle("wasp", 300, 0, { running: 1 });
    expect(place(request, fleet(hive({ workers: [there], limitMb: need + 360 }))).kind).toBe("load");
    expect(place(request, fleet(hive({ workers: [there], limitMb: need + 359 }))).kind).toBe("later");
    expect(place(request, fleet(hive({ limitMb: need - 1 }))).kind).toBe("refuse");
  });

  it("believes a hive that was just asked more than its last heartbeat", () => {
    const told = new Map([["attic", { ram: 50 }]]);
    expect(place({ ...request, told }, fleet(hive()))).toMatchObject({
      error: "insufficient_ram",
      memory: { haveMb: 50 },
    });
  });

  it("leaves a hive alone where the model fails to load, tries others, and tells the real error otherwise", () => {
    const error = new RbeeError("worker_spawn_failed", "The file is damaged.");
    const failing = new Map([["attic", { failures: 3, error, retryAfterS: 27 }]]);
    expect(place({ ...request, failing }, fleet(hive(), hive({ hiveId: "cellar" })))).toMatchObject({
      kind: "load",
      hive: { hiveId: "cellar" },
    });
    expect(place({ ...request, failing }, fleet(hive()))).toMatchObject({
      kind: "refuse",
      error: "worker_spawn_failed",
      failing: { error, retryAfterS: 27 },
      reasons: ["3 times in a row loading bee on attic failed (The file is damaged); it is tried again in 27 s"],
    });
    const here = worker();
    expect(place({ ...request, failing }, fleet(hive({ workers: [here] })))).toEqual({ kind: "use", worker: here });
  });
});

describe("making room", () => {
  const full = (workers: WorkerView[], ram = 50) => fleet(hive({ freeMb: { ram }, workers }));
  const evicted = (household: FleetView) => {
    const decision = place(request, household);
    return decision.kind === "load" ? decision.evicts.map((each) => each.model) : decision.kind;
  };

  it("stops the one that was idle longest, and none where it is not needed", () => {
    expect(evicted(full([idle("ant", 400, 10), idle("wasp", 400, 90), idle("fly", 400, 50)]))).toEqual(["wasp"]);
    expect(evicted(full([idle("wasp", 400, 90)], 1_000))).toEqual([]);
  });

  it("stops one that is enough rather than two that were idle longer", () => {
    expect(evicted(full([idle("ant", 150, 90), idle("wasp", 150, 80), idle("fly", 400, 1)]))).toEqual(["fly"]);
  });

  it("never touches a pinned one, one that works, or one that has not served those who waited for it", () => {
    for (const change of [{ running: 1 }, { fresh: true }, { state: "busy" as const }])
      expect(evicted(full([idle("wasp", 400, 90, change)]))).toBe("later");
    expect(evicted(full([idle("wasp", 400, 90, { pinned: true })]))).toBe("refuse");
  });

  it("stops an idle worker of the same model whose context is too small for the request", () => {
    const small = full([idle("bee", 400, 90, { contextLength: 2_048 })]);
    expect(place({ ...request, contextLength: 2_048 }, small)).toMatchObject({ kind: "use" });
    expect(place({ ...request, contextLength: 4_096 }, small)).toMatchObject({
      kind: "load",
      evicts: [{ model: "bee", contextLength: 2_048 }],
    });
  });

  it("leaves everybody alone for a model that would not fit even so", () => {
    expect(evicted(full([idle("wasp", 100, 90), idle("ant", 50, 90)]))).toBe("refuse");
  });

  it("is done only where no hive has room as it is", () => {
    const roomy = hive({ hiveId: "cellar" });
    expect(place(request, fleet(...full([idle("wasp", 400, 90)]).hives, roomy))).toMatchObject({
      kind: "load",
      hive: { hiveId: "cellar" },
      evicts: [],
    });
  });

  it("counts what is on the same card alone", () => {
    const onCard = { backend: "cuda" as const, device: "cuda:0" };
    const there = idle("wasp", 0, 90, { ...onCard, holds: { deviceMb: 800, ramMb: 100 } });
    const crowded = hive({
      devices: [cpu, cuda],
      freeMb: { ram: 5_000, "cuda:0": 0 },
      workers: [idle("ant", 900, 95), there],
    });
    expect(place({ ...request, backend: "cuda" }, fleet(crowded))).toMatchObject({ kind: "load", evicts: [there] });
  });
});

const anyModel = fc.constantFrom("bee", "wasp", "ant");
const backends: readonly Backend[] = ["cpu", "cuda", "metal"];
const deviceOf = { cpu, cuda, metal: { id: "metal:0", backend: "metal" as const, memory_of: "ram" } };
const anyMemory = fc.record({ deviceMb: fc.nat(2_000), ramMb: fc.nat(2_000) });
const anyHive = fc
  .record({
    hiveId: fc.uuid(),
    name: fc.string({ minLength: 1 }),
    health: fc.constantFrom(...healthSchema.options),
    models: fc.option(
      fc
        .uniqueArray(fc.tuple(anyModel, fc.nat(2_000)), { selector: ([id]) => id, maxLength: 3 })
        .map((list) => list.map(([id, mb]) => model(id, mb))),
    ),
    devices: fc.constantFrom([cpu], [cpu, cuda], [cpu, deviceOf.metal]),
    freeMb: fc.record({ ram: fc.option(fc.nat(4_000)), "cuda:0": fc.option(fc.nat(4_000)) }),
    limitMb: fc.option(fc.nat(6_000)),
    usualSlots: fc.integer({ min: 1, max: 8 }),
  })
  .chain((facts) =>
    fc
      .array(
        fc.record({
          workerId: fc.uuid(),
          model: anyModel,
          state: fc.constantFrom(...workerStateSchema.options),
          where: fc.constantFrom(...facts.devices),
          slotsTotal: fc.option(fc.nat(8)),
          running: fc.constantFrom(0, 0, 0, 1, 4),
          idleS: fc.option(fc.nat(500)),
          promised: anyMemory,
          holds: anyMemory,
          pinned: fc.boolean(),
          fresh: fc.constantFrom(false, false, true),
          yielding: fc.constantFrom(false, false, true),
        }),
        { maxLength: 5 },
      )
      .map((workers): HiveView => ({
        ...facts,
        workers: workers.map(({ where, ...each }) => ({
          ...each,
          hiveId: facts.hiveId,
          backend: where.backend,
          device: where.id,
        })),
      })),
  );
const anyFleet = fc.array(anyHive, { maxLength: 4 });
const anyRequest = fc.record({
  model: anyModel,
  backend: fc.option(fc.constantFrom(...backends), { nil: undefined }),
  another: fc.boolean(),
});

/** Free memory of a hive, reckoned again and in the simplest way, when some of its workers are gone. */
function freeAgain(on: HiveView, pool: string, gone: readonly WorkerView[]): number {
  const alive = on.workers.filter(({ state }) => state !== "stopped" && state !== "failed");
  let free = on.freeMb[pool] ?? Number.POSITIVE_INFINITY;
  let left = pool === "ram" ? (on.limitMb ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  for (const each of alive) {
    const its = on.devices.find(({ id }) => id === each.device) ?? cpu;
    const of = (memory: WorkerView["holds"]) =>
      pool === "ram" ? (memory?.ramMb ?? 0) : poolOf(its) === pool ? (memory?.deviceMb ?? 0) : 0;
    if (gone.includes(each)) free += of(each.holds);
    else {
      if (each.state === "starting" || each.state === "loading") free -= of(each.promised);
      left -= of(each.promised);
    }
  }
  return Math.min(free, left);
}

const properties = { numRuns: 600 };

describe("placement on any fleet", () => {
  it("never uses a hive that is down or unheard of, a worker that cannot answer, or a hive without the model", () => {
    fc.assert(
      fc.property(anyFleet, anyModel, fc.boolean(), (hives, wanted, avoiding) => {
        const avoid = new Set(avoiding ? hives.flatMap((each) => each.workers.slice(0, 1)).map((w) => w.workerId) : []);
        const decision = place({ model: wanted, avoid }, { hives });
        if (decision.kind === "refuse") return;
        const here = decision.kind === "use" || decision.kind === "wait" ? decision.worker : decision.hive;
        const chosen = hives.find((each) => each.hiveId === here.hiveId);
        expect(["healthy", "degraded"]).toContain(chosen?.health);
        if (decision.kind === "load" || decision.kind === "later")
          expect(chosen?.models?.map(({ id }) => id)).toContain(wanted);
        else expect(decision.worker.model).toBe(wanted);
        if (decision.kind === "use") {
          expect(["ready", "busy"]).toContain(decision.worker.state);
          expect(decision.worker.yielding).toBe(false);
          expect(avoid.has(decision.worker.workerId)).toBe(false);
        }
      }),
      properties,
    );
  });

  it("never promises memory that is not there, once what makes room has gone", () => {
    fc.assert(
      fc.property(anyFleet, anyRequest, (hives, asked) => {
        const decision = place(asked, { hives });
        if (decision.kind !== "load") return;
        const { hive: on, promised, evicts } = decision;
        const device = on.devices.find(({ id }) => id === decision.device) ?? cpu;
        expect(freeAgain(on, "ram", evicts)).toBeGreaterThanOrEqual(promised.ramMb);
        if (poolOf(device) !== "ram")
          expect(freeAgain(on, poolOf(device), evicts)).toBeGreaterThanOrEqual(promised.deviceMb);
      }),
      properties,
    );
  });

  it("stops only idle workers of other models that are not pinned, none for nothing, and only if it must", () => {
    fc.assert(
      fc.property(anyFleet, anyRequest, (hives, asked) => {
        const decision = place(asked, { hives });
        if (decision.kind !== "load" || decision.evicts.length === 0) return;
        const { hive: on, evicts, promised } = decision;
        for (const each of evicts) {
          expect(each).toMatchObject({ state: "ready", running: 0, pinned: false, fresh: false, hiveId: on.hiveId });
          expect(each.model).not.toBe(asked.model);
        }
        const device = on.devices.find(({ id }) => id === decision.device) ?? cpu;
        const fits = (gone: readonly WorkerView[]) =>
          freeAgain(on, "ram", gone) >= promised.ramMb &&
          (poolOf(device) === "ram" || freeAgain(on, poolOf(device), gone) >= promised.deviceMb);
        for (const each of evicts) expect(fits(evicts.filter((other) => other !== each))).toBe(false);
        expect(consider(asked, { hives }).some(({ verdict }) => verdict.kind === "load")).toBe(false);
      }),
      properties,
    );
  });

  it("gives a named backend exactly that", () => {
    fc.assert(
      fc.property(anyFleet, anyRequest, (hives, asked) => {
        const decision = place(asked, { hives });
        if (asked.backend === undefined) return;
        if (decision.kind === "load") expect(decision.backend).toBe(asked.backend);
        if (decision.kind === "use" || decision.kind === "wait") expect(decision.worker.backend).toBe(asked.backend);
      }),
      properties,
    );
  });

  it("explains every refusal, hive by hive", () => {
    fc.assert(
      fc.property(anyFleet, anyRequest, (hives, asked) => {
        const decision = place(asked, { hives });
        if (decision.kind !== "refuse" && decision.kind !== "later") return;
        expect(decision.reasons.length).toBe(Math.max(1, hives.length));
        expect(decision.reasons.every((reason) => reason.length > 0)).toBe(true);
      }),
      properties,
    );
  });

  it("decides the same, in whatever order the hives and workers stand", () => {
    fc.assert(
      fc.property(anyFleet, anyRequest, (hives, asked) => {
        const reversed = hives.toReversed().map((each) => ({ ...each, workers: each.workers.toReversed() }));
        const short = (decision: ReturnType<typeof place>) => {
          switch (decision.kind) {
            case "use":
            case "wait":
              return decision.worker.workerId;
            case "load":
              return [decision.hive.hiveId, decision.device, decision.evicts.map(({ workerId }) => workerId)];
            case "later":
              return [decision.hive.hiveId, decision.frees.map(({ workerId }) => workerId)];
            case "refuse":
              return [decision.error, decision.soon, decision.memory];
          }
        };
        expect(short(place(asked, { hives: reversed }))).toEqual(short(place(asked, { hives })));
      }),
      properties,
    );
  });
});

describe("the fewest that make room", () => {
  it("are no more than any other choice, and in a long list none is there for nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 14 }), fc.nat(200), (sizes, wanted) => {
        const items = sizes.map((size, index) => ({ size, index }));
        const fits = (gone: ReadonlySet<(typeof items)[number]>) =>
          [...gone].reduce((sum, { size }) => sum + size, 0) >= wanted;
        const chosen = fewest(items, fits);
        if (chosen === undefined) {
          expect(items.length === 0 || !fits(new Set(items))).toBe(true);
          return;
        }
        expect(fits(new Set(chosen))).toBe(true);
        if (chosen.length > 1)
          for (const each of chosen) expect(fits(new Set(chosen.filter((other) => other !== each)))).toBe(false);
        if (items.length > 8) return;
        const largest = sizes.toSorted((a, b) => b - a);
        const least = largest.findIndex((_, index) => largest.slice(0, index + 1).reduce((a, b) => a + b, 0) >= wanted);
        expect(chosen.length).toBe(least + 1);
      }),
      properties,
    );
  });
});

describe("the context of a worker that is placed", () => {
  const memory = {
    ...{ layers: 32, embedding_length: 4_096, feed_forward_length: 14_336, vocabulary_size: 128_256 },
    ...{ cache_values_per_token: 65_536, windowed_cache_values_per_token: 0, window: null, recurrent_values: 0 },
  };
  const bee = { id: "bee", size_bytes: mbs(4_900), context_length: 131_072, memory };
  const shape = { sizeBytes: bee.size_bytes, trainedContext: bee.context_length, facts: memory };
  const needs = (contextLength: number) => memoryNeed(shape, { backend: "cpu", slots: 4, contextLength }, true).ram_mb;
  const at = (ram: number, workers: WorkerView[] = []) => fleet(hive({ models: [bee], freeMb: { ram }, workers }));
  const contextAt = (household: FleetView) => {
    const [judgement] = consider(request, household);
    return judgement !== undefined && "context" in judgement.verdict ? judgement.verdict.context : undefined;
  };

  it("is more where more is free, and its memory is promised", () => {
    expect(contextAt(at(32_000))).toEqual({ tokens: 8_192, why: "cpu" });
    expect(place(request, at(32_000))).toMatchObject({ kind: "load", promised: { ramMb: needs(8_192) } });
    expect(contextAt(at(needs(4_096)))).toEqual({ tokens: 4_096, why: "memory" });
  });

  it("stops nothing for more than the least", () => {
    const wasp = idle("wasp", 4_000, 60);
    expect(place(request, at(needs(4_096), [wasp]))).toMatchObject({ kind: "load", evicts: [] });
    expect(place(request, at(needs(4_096) - 1, [wasp]))).toMatchObject({ kind: "load", evicts: [wasp] });
    // A request that insists on more is worth it.
    const insists = { ...request, contextLength: 8_192, options: { context_length: 8_192 } };
    expect(place(insists, at(needs(4_096), [wasp]))).toMatchObject({
      evicts: [wasp],
      promised: { ramMb: needs(8_192) },
    });
  });
});

describe("a model of a server that is not rbee's", () => {
  const source = { kind: "ollama" as const, name: "Ollama", address: null, model: "bee" };
  const external = worker({
    ...{ workerId: "worker:ext-1", engine: "external", external: source, slotsTotal: null },
    ...{ backend: null, device: null },
  });
  const own = worker({ workerId: "worker:own", running: 3 });

  it("is used, but our own worker comes first however busy it is", () => {
    const bare = hive({ models: [] });
    expect(place(request, fleet({ ...bare, workers: [external] }))).toEqual({ kind: "use", worker: external });
    expect(place(request, fleet({ ...bare, workers: [external, own] }))).toEqual({ kind: "use", worker: own });
  });

  it("never makes room for another, whatever it holds", () => {
    const wasp = { ...external, model: "wasp", idleS: 999, holds: { deviceMb: 0, ramMb: 5_000 } };
    expect(place(request, fleet(hive({ freeMb: { ram: 10 }, workers: [wasp] })))).toMatchObject({
      ...{ kind: "refuse", error: "insufficient_ram" },
    });
  });

  it("that is gone is refused by the name of its server, and one whose machine is down as such", () => {
    const gone = hive({ models: [], workers: [{ ...external, state: "stopped" }] });
    expect(place(request, fleet(gone))).toMatchObject({
      ...{ kind: "refuse", error: "model_not_found", vanished: { server: "Ollama on attic" } },
    });
    const down = hive({ models: [], health: "down", served: ["bee"] });
    expect(place(request, fleet(down))).toMatchObject({ kind: "refuse", error: "hive_down" });
  });

  it("is not started by rbee, not even when a person asks", () => {
    const bare = hive({ models: [], workers: [external] });
    expect(place({ ...request, another: true }, fleet(bare))).toMatchObject({
      ...{ kind: "refuse", error: "invalid_request" },
      reasons: ["Ollama on attic serves bee; rbee starts no worker of it"],
    });
  });
});
