import type { Heartbeat, LoanTelemetry, WorkerTelemetry } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { capabilities, heartbeat, hiveModel } from "#lib/server/testing/index.ts";
import { createFreshWorkers, fleetView, type WorkerNotes } from "./fleet-view.ts";
import { createInFlight } from "./in-flight.ts";
import { place, type FleetView } from "./placement.ts";

const idleWorker: WorkerTelemetry = {
  ...{ worker_id: "worker:big", model: "big", engine: "llama-server", backend: "cpu", device: "cpu", state: "ready" },
  ...{ pid: 1, cpu_pct: 0, rss_mb: 6_000, vram_mb: null, uptime_s: 60, load_progress: 1 },
  ...{ slots_total: 4, slots_busy: 0, tokens_per_s: null, idle_s: 50, stops_in_s: null, context_length: 1024 },
  ...{ queued: 0, restarts: 0, error: null },
  spread: [
    { hive_id: "hive:attic", name: "attic", device: "cpu", share: 0.5 },
    { hive_id: "hive:cellar", name: "cellar", device: "cpu", share: 0.5 },
  ],
};
const lent: LoanTelemetry = {
  ...{ loan_id: "loan:1", model: "big", borrower: "attic", backend: "cpu", device: "cpu", pid: 2 },
  ...{ device_mb: 0, ram_mb: 7_000, loaded: true, started_at: 0, rss_mb: 6_000 },
};

interface Household {
  worker?: Partial<WorkerTelemetry>;
  loans?: LoanTelemetry[];
  pinned?: boolean;
  down?: boolean;
}

/** Attic runs a model that cellar computes a part of; cellar alone has the small one, and little memory left. */
function household({ worker = {}, loans = [lent], pinned = false, down = false }: Household = {}): FleetView {
  const inFlight = createInFlight();
  const notes: WorkerNotes = {
    inFlight,
    fresh: createFreshWorkers(() => 0),
    isPinned: (model) => pinned && model === "big",
    isFresh: () => false,
    yields: () => false,
    reserved: () => [],
  };
  const hive = (name: string, models: string[], change: Partial<Heartbeat>) => ({
    ...{ hiveId: `hive:${name}`, name, health: "healthy" as const },
    capabilities: capabilities(
      `hive:${name}`,
      models.map((id) => hiveModel(id, 3_000)),
    ),
    heartbeat: heartbeat(`hive:${name}`, {
      node: { cpu_pct: 1, ram_used_mb: 15_000, ram_total_mb: 16_000, load1: 0, gpus: [] },
      ...change,
    }),
  });
  const attic = hive("attic", ["big"], { workers: [{ ...idleWorker, ...worker }] });
  return {
    hives: fleetView([{ ...attic, health: down ? "down" : "healthy" }, hive("cellar", ["small"], { loans })], notes),
  };
}

const partIn = ({ hives }: FleetView) => hives[1]?.workers[0];

describe("what a hive computes for another one's worker", () => {
  it("is that worker, with the memory that it takes here", () => {
    expect(partIn(household())).toMatchObject({
      ...{ workerId: "worker:big", hiveId: "hive:attic", model: "a part of big", state: "ready", running: 0 },
      ...{ idleS: 50, pinned: false, promised: { ramMb: 7_000 }, holds: { ramMb: 6_000 } },
    });
  });

  it("makes room for another model while that worker has nothing to do", () => {
    expect(place({ model: "small" }, household())).toMatchObject({
      kind: "load",
      hive: { name: "cellar" },
      evicts: [{ workerId: "worker:big", hiveId: "hive:attic" }],
    });
  });

  it("is waited for while that worker answers", () => {
    const busy = household({ worker: { state: "busy", slots_busy: 1, idle_s: 0 } });
    expect(place({ model: "small" }, busy)).toMatchObject({ kind: "later", frees: [{ workerId: "worker:big" }] });
  });

  it("stays when its model is pinned", () => {
    expect(place({ model: "small" }, household({ pinned: true }))).toMatchObject({ error: "insufficient_ram" });
  });

  it("does not go for a second worker of its own model", () => {
    const fleet = household();
    const hives = fleet.hives.map((hive) => ({ ...hive, models: [{ ...hiveModel("big", 3_000) }] }));
    expect(place({ model: "big", another: true }, { hives })).toMatchObject({ kind: "later" });
  });

  it("is nobody's to stop when its worker is not known, or cannot be told", () => {
    const unknown = [
      { worker: { spread: undefined } },
      { worker: { state: "stopped" } as const },
      { loans: [lent, { ...lent, loan_id: "loan:2" }] },
      { loans: [{ ...lent, loaded: false }] },
      { down: true },
    ];
    for (const each of unknown) {
      const fleet = household(each);
      expect(partIn(fleet)).toMatchObject({ workerId: "loan:1", pinned: true, running: 1 });
      expect(place({ model: "small" }, fleet)).toMatchObject({ kind: "refuse" });
    }
  });
});

describe("a worker that stands on several hives", () => {
  it("is stopped once to make room on both", () => {
    const fleet = household();
    const able = fleet.hives.map((hive) => ({
      ...hive,
      models: [hiveModel("huge", 8_000)],
      spreading: { release: "b1", backends: ["cpu" as const] },
    }));
    const across = new Map([["huge", able.map(({ hiveId }) => hiveId)]]);
    const placement = place({ model: "huge" }, { hives: able, across });
    expect(placement).toMatchObject({ kind: "load", spread: {} });
    expect(placement.kind === "load" && placement.evicts.map(({ workerId }) => workerId)).toEqual(["worker:big"]);
  });
});
