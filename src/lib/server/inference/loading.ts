import { RbeeError, toRbeeError, type HiveClient, type Worker, type WorkerSpawn } from "@rbee/contract";
import type { Logger } from "pino";
import type { FreshWorkers } from "./fleet-view.ts";
import type { Placement, Where, WorkerView } from "./placement.ts";

/** One long poll; the hive answers earlier when the worker is ready or has failed. */
const pollMs = 20_000;
/** Longer than any hive lets a model load, so that a hive that never says so does not hold requests for ever. */
const loadLimitMs = 15 * 60_000;

type LoadOrWait = Extract<Placement, { kind: "load" | "wait" }>;

/** Loads that are under way: one for each model, shared by every request that it suits. */
export interface Loading {
  /** Resolves with a ready worker. @throws {RbeeError} what made the load fail. */
  share(model: string, placement: LoadOrWait, where?: Where): Promise<WorkerView>;
}

/** A worker as placement sees it, taken as ready. */
export const viewOf = (hiveId: string, worker: Worker): WorkerView => ({
  workerId: worker.worker_id,
  hiveId,
  model: worker.model,
  state: "ready",
  backend: worker.backend,
  device: worker.device,
  slotsTotal: worker.slots_total,
  running: 0,
});

/** A load that is under way; what its hive chooses itself is undefined. */
interface RunningLoad extends Pick<Where, "backend" | "device"> {
  readonly model: string;
  readonly hiveId: string;
  readonly worker: Promise<WorkerView>;
}

const runningLoad = (model: string, placement: LoadOrWait, worker: Promise<WorkerView>): RunningLoad =>
  placement.kind === "wait"
    ? { ...placement.worker, model, worker }
    : { model, hiveId: placement.hive.hiveId, backend: placement.backend, device: placement.device, worker };

const suits = (load: RunningLoad, { hives, backend, device }: Where): boolean =>
  (hives?.has(load.hiveId) ?? true) &&
  (backend === undefined || backend === load.backend) &&
  (device === undefined || device === load.device);

function failure(worker: Worker, hiveName: string): RbeeError {
  if (worker.error !== null) return RbeeError.fromBody({ error: worker.error }, "worker_spawn_failed");
  return new RbeeError(
    "worker_spawn_failed",
    `The worker of ${worker.model} on ${hiveName} ended before it was ready.`,
  );
}

export function createLoading(options: {
  hive: (hiveId: string) => { client: HiveClient; name: string };
  fresh: FreshWorkers;
  /** What the household decided about workers of a model. */
  spawnOptions: (model: string) => Partial<WorkerSpawn>;
  log: Logger;
}): Loading {
  const { hive, fresh, spawnOptions, log } = options;
  const running = new Set<RunningLoad>();

  const untilReady = async (hiveId: string, workerId: string): Promise<WorkerView> => {
    const { client, name } = hive(hiveId);
    const deadline = performance.now() + loadLimitMs;
    while (performance.now() < deadline) {
      const worker = await client.getWorker({
        params: { id: workerId },
        query: { wait_ms: pollMs },
        timeoutMs: pollMs + 10_000,
      });
      if (worker.state === "ready" || worker.state === "busy") return viewOf(hiveId, worker);
      if (worker.state !== "starting" && worker.state !== "loading") throw failure(worker, name);
    }
    throw new RbeeError("worker_load_timeout", "The model did not finish loading.");
  };

  const bring = async (model: string, placement: LoadOrWait): Promise<WorkerView> => {
    if (placement.kind === "wait") return untilReady(placement.worker.hiveId, placement.worker.workerId);
    const { hiveId, name } = placement.hive;
    const startedAt = performance.now();
    const { backend, device } = placement;
    const worker = await hive(hiveId).client.spawnWorker({
      body: {
        ...spawnOptions(model),
        model,
        ...(backend === undefined ? {} : { backend }),
        ...(device === undefined ? {} : { device }),
      },
    });
    // Who insists on this very place sees it coming before the hive's next heartbeat.
    fresh.add({ ...viewOf(hiveId, worker), state: worker.state });
    const ready = await untilReady(hiveId, worker.worker_id).catch((error: unknown) => {
      fresh.forget(worker.worker_id);
      throw error;
    });
    log.info(
      { model, hive: name, worker: ready.workerId, ms: Math.round(performance.now() - startedAt) },
      "model loaded",
    );
    return ready;
  };

  return {
    share(model, placement, where = {}) {
      const shared = [...running].find((load) => load.model === model && suits(load, where));
      if (shared !== undefined) return shared.worker;
      const worker = bring(model, placement)
        .then((ready) => {
          fresh.add(ready);
          return ready;
        })
        .catch((error: unknown) => {
          log.warn({ model, err: toRbeeError(error).message, code: toRbeeError(error).code }, "model did not load");
          throw error;
        })
        .finally(() => running.delete(load));
      const load = runningLoad(model, placement, worker);
      running.add(load);
      return worker;
    },
  };
}
