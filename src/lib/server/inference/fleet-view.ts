import {
  defaultSlots,
  memorySafety,
  usualEngine,
  type Capabilities,
  type LoanTelemetry,
  type WorkerTelemetry,
} from "@rbee/contract";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { InFlight } from "./in-flight.ts";
import type { HiveView, SpreadAbility, WorkerView } from "./placement.ts";

/** A hive's next heartbeats may have been measured before a worker became ready. */
const telemetryLagMs = 3_000;
/** A worker that was told to stop has gone by then, or does not go. */
const leavingLimitMs = 40_000;

/** What this queen knows of workers before their hives' heartbeats say so. */
export interface FreshWorkers {
  /** A worker has just become ready on a hive, or is about to start there. */
  add(worker: WorkerView): void;
  /** A worker turned out to be gone. */
  forget(workerId: string): void;
  /** A hive was started again: what it had is gone. */
  forgetHive(hiveId: string): void;
  /** A worker is being stopped, or has failed: nobody is sent there any more. */
  leaves(workerId: string): void;
  /** It could not be stopped. */
  stays(workerId: string): void;
  /** The workers of a hive: telemetry, put right by what is known better. */
  merge(hiveId: string, reported: readonly WorkerView[]): WorkerView[];
}

const living = ({ state }: WorkerView) => state !== "stopped" && state !== "failed";

export function createFreshWorkers(now: () => number): FreshWorkers {
  const known = new Map<string, { worker: WorkerView; since: number }>();
  const leaving = new Map<string, number>();
  return {
    add(worker) {
      // What it was promised is told once, when it starts.
      known.set(worker.workerId, { worker: { ...known.get(worker.workerId)?.worker, ...worker }, since: now() });
    },
    forget(workerId) {
      known.delete(workerId);
    },
    forgetHive(hiveId) {
      for (const { worker } of [...known.values()]) if (worker.hiveId === hiveId) known.delete(worker.workerId);
    },
    leaves(workerId) {
      known.delete(workerId);
      leaving.set(workerId, now());
    },
    stays(workerId) {
      leaving.delete(workerId);
    },
    merge(hiveId, reported) {
      for (const [workerId, { since }] of known) if (now() - since > telemetryLagMs) known.delete(workerId);
      for (const [workerId, since] of leaving) if (now() - since > leavingLimitMs) leaving.delete(workerId);
      const ids = new Set(reported.map((worker) => worker.workerId));
      const unreported = [...known.values()].map(({ worker }) => worker).filter((worker) => !ids.has(worker.workerId));
      return [
        ...reported.map((worker) => {
          if (leaving.has(worker.workerId) && living(worker)) return { ...worker, state: "draining" as const };
          if (worker.state !== "starting" && worker.state !== "loading") return worker;
          return { ...worker, ...known.get(worker.workerId)?.worker };
        }),
        ...unreported.filter((worker) => worker.hiveId === hiveId),
      ];
    },
  };
}

/** What is known of workers beside what their hives report. */
export interface WorkerNotes {
  readonly inFlight: InFlight;
  readonly fresh: FreshWorkers;
  isPinned(model: string): boolean;
  /** Whether those who waited for it may still be on their way to it. */
  isFresh(workerId: string): boolean;
  /** Whether it is to take no new requests. */
  yields(workerId: string): boolean;
  /** Workers that are being brought up there and that the hive does not know yet. */
  reserved(hiveId: string): readonly WorkerView[];
}

const free = (used: number | null | undefined, total: number | null | undefined) =>
  typeof used === "number" && typeof total === "number" ? total - used : null;

function workerView(hiveId: string, worker: WorkerTelemetry): WorkerView {
  const { rss_mb, vram_mb, need_device_mb, need_ram_mb } = worker;
  // A promise has head room; what a worker holds is what was measured, and no more than it was promised.
  const promised = { deviceMb: need_device_mb ?? vram_mb ?? 0, ramMb: need_ram_mb ?? rss_mb ?? 0 };
  return {
    workerId: worker.worker_id,
    hiveId,
    model: worker.model,
    state: worker.state,
    backend: worker.backend,
    device: worker.device,
    engine: worker.engine,
    external: worker.external,
    slotsTotal: worker.slots_total,
    contextLength: worker.context_length,
    running: worker.slots_busy ?? 0,
    idleS: worker.idle_s,
    spread: worker.spread,
    promised,
    holds: { deviceMb: vram_mb ?? promised.deviceMb / memorySafety, ramMb: rss_mb ?? promised.ramMb / memorySafety },
  };
}

/** What the engines that were found there can compute on. */
function enginesOf(capabilities: Capabilities | null): NonNullable<HiveView["engines"]> {
  if (capabilities === null) return {};
  const { engines, engine_facts, devices, backends: own } = capabilities;
  const found = engine_facts.filter(({ engine }) => engine !== usualEngine && engines.includes(engine));
  return Object.fromEntries(
    found.map(({ engine, backends }) => [engine, devices.filter(({ backend }) => (backends ?? own).includes(backend))]),
  );
}

/** What a hive computes for another one's worker: it takes memory, and by itself is nobody's to stop. */
export const loanView = (
  hiveId: string,
  loan: Pick<LoanTelemetry, "loan_id" | "model" | "backend" | "device" | "device_mb" | "ram_mb" | "loaded">,
  rss_mb: number | null,
): WorkerView => ({
  workerId: loan.loan_id,
  hiveId,
  // Not by the model's own name, since nobody can be sent there.
  model: `a part of ${loan.model}`,
  partOf: loan.model,
  state: loan.loaded ? "busy" : "loading",
  backend: loan.backend,
  device: loan.device,
  slotsTotal: null,
  running: 1,
  pinned: true,
  promised: { deviceMb: loan.device_mb, ramMb: loan.ram_mb },
  holds: { deviceMb: loan.device_mb / memorySafety, ramMb: rss_mb ?? loan.ram_mb / memorySafety },
});

function abilityOf(capabilities: Capabilities | null): SpreadAbility | undefined {
  const fact = capabilities?.engine_facts.find(({ engine }) => engine === "llama-server");
  if (fact === undefined) return undefined;
  if (fact.problem !== null) return { problem: fact.problem };
  if (fact.spreads !== true)
    return { problem: "its llama-server was built without that (npm run llama:build makes one)" };
  return { release: fact.version, backends: fact.backends ?? ["cpu"] };
}

type ToldHive = Pick<HiveState, "hiveId" | "name" | "health" | "capabilities" | "heartbeat">;

/**
 * What placement needs to know of all hives. What one of them computes for another's worker is shown as that worker,
 * so that it can be stopped or waited for, with the memory that it takes here.
 */
export function fleetView(hives: readonly ToldHive[], notes: WorkerNotes): HiveView[] {
  const views = hives.map((hive) => hiveView(hive, notes));
  if (views.every((view) => view.workers.every(({ partOf }) => partOf === undefined))) return views;
  // One whose hive is down cannot be told to stop, and what it borrowed ends by itself.
  const workers = views
    .filter(({ health }) => health === "healthy" || health === "degraded")
    .flatMap((view) => view.workers)
    .filter((worker) => worker.partOf === undefined && living(worker));
  return views.map((view) => ({ ...view, workers: view.workers.map((part) => asItsWorker(part, view, workers)) }));
}

function asItsWorker(part: WorkerView, { hiveId, workers: here }: HiveView, all: readonly WorkerView[]): WorkerView {
  const { partOf, model, backend, device, promised, holds } = part;
  if (partOf === undefined) return part;
  const [worker, ...more] = all.filter(
    (each) =>
      each.model === partOf &&
      each.hiveId !== hiveId &&
      each.spread?.some(({ hive_id }) => hive_id === hiveId) === true,
  );
  // A loan does not say whose it is, so with several of one model nobody knows which it belongs to.
  if (worker === undefined || more.length > 0 || here.filter((each) => each.partOf === partOf).length > 1) return part;
  // It is told a little later that the worker is ready; or this is one that went, and the part is its successor's.
  if (part.state === "loading" && worker.state !== "starting" && worker.state !== "loading") return part;
  return { ...worker, model, partOf, backend, device, promised, holds };
}

/** What a hive has told. */
type Told = Pick<
  HiveView,
  "models" | "served" | "devices" | "engines" | "freeMb" | "limitMb" | "usualSlots" | "spreading" | "workers"
>;

/** A hive tells once a second; requests ask many times in between. */
const toldBefore = new WeakMap<ToldHive, Pick<ToldHive, "capabilities" | "heartbeat"> & { readonly told: Told }>();

function toldBy(hive: ToldHive): Told {
  const { capabilities, heartbeat } = hive;
  const before = toldBefore.get(hive);
  if (before?.capabilities === capabilities && before.heartbeat === heartbeat) return before.told;
  const told = readTold(hive);
  toldBefore.set(hive, { capabilities, heartbeat, told });
  return told;
}

function readTold({ hiveId, capabilities, heartbeat }: ToldHive): Told {
  const spreading = abilityOf(capabilities);
  return {
    models: capabilities?.models ?? null,
    served: capabilities?.external_servers?.flatMap(({ models }) => models) ?? [],
    devices: capabilities?.devices.filter(({ backend }) => capabilities.backends.includes(backend)) ?? [],
    engines: enginesOf(capabilities),
    freeMb: {
      ram: free(heartbeat?.node.ram_used_mb, heartbeat?.node.ram_total_mb),
      ...Object.fromEntries(
        heartbeat?.node.gpus.map(({ id, vram_used_mb, vram_total_mb }) => [id, free(vram_used_mb, vram_total_mb)]) ??
          [],
      ),
    },
    limitMb: capabilities?.memory_limit_mb ?? null,
    usualSlots: capabilities?.worker_slots ?? defaultSlots,
    ...(spreading === undefined ? {} : { spreading }),
    workers: [
      ...(heartbeat?.workers ?? []).map((worker) => workerView(hiveId, worker)),
      ...(heartbeat?.loans ?? []).map((loan) => loanView(hiveId, loan, loan.rss_mb)),
    ],
  };
}

/** What placement needs to know of a hive. */
function hiveView(hive: ToldHive, notes: WorkerNotes): HiveView {
  const { hiveId, name, health } = hive;
  const { inFlight, fresh } = notes;
  const told = toldBy(hive);
  return {
    ...told,
    hiveId,
    name,
    health,
    workers: [...fresh.merge(hiveId, told.workers), ...notes.reserved(hiveId)].map((worker) => ({
      ...worker,
      running: Math.max(worker.running, inFlight.at(worker.workerId)),
      pinned: worker.pinned === true || notes.isPinned(worker.model),
      fresh: notes.isFresh(worker.workerId),
      yielding: notes.yields(worker.workerId),
    })),
  };
}
