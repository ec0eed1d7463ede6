import type { HiveState } from "#lib/server/hives/index.ts";
import type { InFlight } from "./in-flight.ts";
import type { HiveView, WorkerView } from "./placement.ts";

/** A hive's next heartbeats may have been measured before a worker became ready. */
const telemetryLagMs = 3_000;

/** What this queen knows of workers before their hives' heartbeats say so. */
export interface FreshWorkers {
  /** A worker has just become ready on a hive. */
  add(worker: WorkerView): void;
  /** A worker turned out to be gone. */
  forget(workerId: string): void;
  /** The workers of a hive: telemetry, put right by what is known better. */
  merge(hiveId: string, reported: readonly WorkerView[]): WorkerView[];
}

export function createFreshWorkers(now: () => number): FreshWorkers {
  const known = new Map<string, { worker: WorkerView; since: number }>();
  return {
    add(worker) {
      known.set(worker.workerId, { worker, since: now() });
    },
    forget(workerId) {
      known.delete(workerId);
    },
    merge(hiveId, reported) {
      for (const [workerId, { since }] of known) if (now() - since > telemetryLagMs) known.delete(workerId);
      const ids = new Set(reported.map((worker) => worker.workerId));
      const unreported = [...known.values()].map(({ worker }) => worker).filter((worker) => !ids.has(worker.workerId));
      return [
        ...reported.map((worker) =>
          worker.state === "starting" || worker.state === "loading"
            ? (known.get(worker.workerId)?.worker ?? worker)
            : worker,
        ),
        ...unreported.filter((worker) => worker.hiveId === hiveId),
      ];
    },
  };
}

/** What placement needs to know of a hive. */
export function hiveView(hive: HiveState, inFlight: InFlight, fresh: FreshWorkers): HiveView {
  const node = hive.heartbeat?.node;
  const free = (used: number | null | undefined, total: number | null | undefined) =>
    typeof used === "number" && typeof total === "number" ? total - used : null;
  const workers = (hive.heartbeat?.workers ?? []).map((worker) => ({
    workerId: worker.worker_id,
    hiveId: hive.hiveId,
    model: worker.model,
    state: worker.state,
    backend: worker.backend,
    device: worker.device,
    slotsTotal: worker.slots_total,
    running: Math.max(worker.slots_busy ?? 0, inFlight.at(worker.worker_id)),
  }));
  const gpus = hive.capabilities?.backends.some((backend) => backend !== "cpu") === true ? (node?.gpus ?? []) : [];
  return {
    hiveId: hive.hiveId,
    name: hive.name,
    health: hive.health,
    models:
      hive.capabilities?.models.map((model) => ({ id: model.id, sizeMb: model.size_bytes / 1024 / 1024 })) ?? null,
    freeRamMb: free(node?.ram_used_mb, node?.ram_total_mb),
    freeVramMb: gpus.map((gpu) => free(gpu.vram_used_mb, gpu.vram_total_mb)),
    workers: fresh
      .merge(hive.hiveId, workers)
      .map((worker) => ({ ...worker, running: Math.max(worker.running, inFlight.at(worker.workerId)) })),
  };
}
