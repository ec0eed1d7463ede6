import { setTimeout as delay } from "node:timers/promises";
import {
  memorySafety,
  RbeeError,
  toRbeeError,
  type ErrorCode,
  type HiveClient,
  type Worker,
  type WorkerSpawn,
} from "@rbee/contract";
import type { Logger } from "pino";
import type { Breaker } from "./breaker.ts";
import { contextWish } from "./context-wish.ts";
import { createBorrowing } from "./borrowing.ts";
import type { FreshWorkers } from "./fleet-view.ts";
import type { Placement, Where, WorkerView } from "./placement.ts";
import type { Tenure } from "./tenure.ts";

/** One long poll; the hive answers earlier when the worker is ready or has failed. */
const pollMs = 20_000;
/** Longer than any hive lets a model load, so that a hive that never says so does not hold requests for ever. */
const loadLimitMs = 15 * 60_000;
/** What an idle worker may still have to finish when it makes room: a request that came in this very moment. */
const evictionDrainMs = 5_000;
/**
 * A process that was just ended takes a moment to be gone, and a card's memory is read once a second: what a hive has
 * not may be there at once, and all the more where room was made.
 */
const freedWithinMs = { usually: 1_500, afterEviction: 4_000 };
const lookAgainMs = 250;

type Load = Extract<Placement, { kind: "load" }>;
type LoadOrWait = Load | Extract<Placement, { kind: "wait" }>;

/** Loads that are under way: one for each model, shared by every request that it suits. */
export interface Loading {
  /** Resolves with a ready worker. @throws {RbeeError} what made the load fail. */
  share(model: string, placement: LoadOrWait, where?: Where): Promise<WorkerView>;
  /** Whether this is only a place kept for a worker, which its hive does not know yet and no load that suits covers. */
  isOnlyReserved(workerId: string, model: string, where: Where): boolean;
  /** Workers that are about to start on a hive, with the memory that they are promised there. */
  reserved(hiveId: string): readonly WorkerView[];
  /**
   * Stops what has to go, then starts a worker; its model is not loaded yet. Until the hive knows of it, its memory is
   * promised to nobody else. @param wishes what is to be other than the household decided. @throws {RbeeError} what the hive answers.
   */
  start(model: string, placement: Load, wishes?: Partial<WorkerSpawn>): Promise<Worker>;
}

/** Nobody can say how this load would have ended. */
const unrelated: ReadonlySet<ErrorCode> = new Set([
  "hive_unreachable",
  "hive_down",
  "hive_invalid_response",
  "node_not_found",
  "worker_not_found",
  "request_cancelled",
  "overloaded",
]);
const tooLittle: ReadonlySet<ErrorCode> = new Set(["insufficient_ram", "insufficient_vram"]);

/** Whether a load that ended so says something about the model on that hive. */
export const countsAgainst = (error: RbeeError): boolean => !unrelated.has(error.code);

/** A worker as placement sees it, taken as ready. */
export const viewOf = (hiveId: string, worker: Worker): WorkerView => ({
  workerId: worker.worker_id,
  hiveId,
  model: worker.model,
  state: "ready",
  backend: worker.backend,
  device: worker.device,
  engine: worker.engine,
  external: worker.external,
  slotsTotal: worker.slots_total,
  contextLength: worker.context_length,
  spread: worker.spread,
  running: 0,
});

/** The hive that an error says it comes from, where that is another one than was asked. */
export function hiveOf({ details }: RbeeError): string | undefined {
  const id = details?.["hive_id"];
  return typeof id === "string" ? id : undefined;
}

/** The hives that have brought a worker up, and so are not to blame for anything before. */
export const hivesOf = ({ hiveId, spread = [] }: Pick<WorkerView, "hiveId" | "spread">): ReadonlySet<string> =>
  new Set([hiveId, ...spread.map(({ hive_id }) => hive_id)]);

/** A load that is under way. */
interface RunningLoad extends Pick<WorkerView, "hiveId" | "backend" | "device"> {
  /** Context that it is started with for somebody's sake; undefined for the usual. */
  readonly contextLength: number | undefined;
  readonly model: string;
  readonly worker: Promise<WorkerView>;
}

const runningLoad = (
  model: string,
  placement: LoadOrWait,
  worker: Promise<WorkerView>,
  contextLength: number | undefined,
): RunningLoad => {
  const { hiveId, backend, device } =
    placement.kind === "wait" ? placement.worker : { ...placement, hiveId: placement.hive.hiveId };
  return { model, hiveId, backend, device, worker, contextLength };
};

const suits = (load: RunningLoad, { hives, backend, device }: Where, contextLength: number | undefined): boolean =>
  (hives?.has(load.hiveId) ?? true) &&
  (backend === undefined || backend === load.backend) &&
  (device === undefined || device === load.device) &&
  (contextLength === undefined || contextLength <= (load.contextLength ?? 0));

/** What a worker that is placed so is promised, and about what it will hold. */
const memoryOf = ({ promised }: Load): Required<Pick<WorkerView, "promised" | "holds">> => ({
  promised,
  holds: { deviceMb: promised.deviceMb / memorySafety, ramMb: promised.ramMb / memorySafety },
});

/** Why a worker ended before it was ready. */
export function loadFailure(worker: Worker, hiveName: string): RbeeError {
  if (worker.error !== null) return RbeeError.fromBody({ error: worker.error }, "worker_spawn_failed");
  return new RbeeError(
    "worker_spawn_failed",
    `The worker of ${worker.model} on ${hiveName} ended before it was ready.`,
  );
}

export function createLoading(options: {
  hive: (hiveId: string) => { client: HiveClient; name: string };
  /** Where one hive reaches another; null when it cannot. */
  urlBetween: (fromHiveId: string, toHiveId: string) => Promise<string | null>;
  fresh: FreshWorkers;
  tenure: Tenure;
  breaker: Breaker;
  /** What the household decided about workers of a model. */
  spawnOptions: (model: string) => Partial<WorkerSpawn>;
  log: Logger;
}): Loading {
  const { hive, fresh, tenure, breaker, spawnOptions, log } = options;
  const running = new Set<RunningLoad>();
  const reservations = new Set<WorkerView>();
  const borrowing = createBorrowing({ hive, urlBetween: options.urlBetween, fresh });
  let numbered = 0;

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
      if (worker.state !== "starting" && worker.state !== "loading") throw loadFailure(worker, name);
    }
    throw new RbeeError("worker_load_timeout", "The model did not finish loading.");
  };

  const evict = async (model: string, { hive: { name }, evicts }: Load): Promise<void> => {
    await Promise.all(
      evicts.map(async (worker) => {
        log.info(
          { worker: worker.workerId, evicted: worker.model, for: model, hive: name, idle_s: worker.idleS },
          "worker stopped to make room",
        );
        try {
          await hive(worker.hiveId).client.stopWorker({
            params: { id: worker.workerId },
            query: { drain_ms: evictionDrainMs },
            timeoutMs: evictionDrainMs + 10_000,
          });
        } catch (error) {
          // One that is gone already has made room too.
          if (toRbeeError(error).code === "worker_not_found") return;
          fresh.stays(worker.workerId);
          throw error;
        }
      }),
    );
  };

  const spawn = async (model: string, placement: Load, wishes: Partial<WorkerSpawn>): Promise<Worker> => {
    const { backend, device, evicts } = placement;
    const { hiveId } = placement.hive;
    const body = { ...spawnOptions(model), ...wishes, model, backend, device };
    const { usually, afterEviction } = freedWithinMs;
    const deadline = performance.now() + (evicts.length === 0 ? usually : afterEviction);
    for (;;)
      try {
        if (placement.spread === undefined) return await hive(hiveId).client.spawnWorker({ body });
        return await borrowing.spawn(
          { context_length: placement.spread.contextLength, ...body },
          hiveId,
          placement.spread.helpers,
        );
      } catch (error) {
        if (performance.now() > deadline || !tooLittle.has(toRbeeError(error).code)) throw error;
        await delay(lookAgainMs);
      }
  };

  // Until the first await nothing else runs: no other decision is made before memory is promised and victims are marked.
  const start: Loading["start"] = async (model, placement, wishes = {}) => {
    const { hiveId } = placement.hive;
    const reservation: WorkerView = {
      workerId: `start:${++numbered}`,
      hiveId,
      model,
      state: "starting",
      backend: placement.backend,
      device: placement.device,
      slotsTotal: null,
      running: 0,
      ...memoryOf(placement),
    };
    const lent = (placement.spread?.helpers ?? []).map((helper) => borrowing.reservation(model, helper, ++numbered));
    for (const each of [reservation, ...lent]) reservations.add(each);
    for (const { workerId } of placement.evicts) fresh.leaves(workerId);
    try {
      await evict(model, placement);
      const worker = await spawn(model, placement, wishes);
      // Who comes before the hive's next heartbeat waits for this worker instead of starting another.
      fresh.add({ ...viewOf(hiveId, worker), state: worker.state, ...memoryOf(placement) });
      return worker;
    } finally {
      for (const each of [reservation, ...lent]) reservations.delete(each);
    }
  };

  const bring = async (model: string, placement: LoadOrWait, wishes: Partial<WorkerSpawn>): Promise<WorkerView> => {
    if (placement.kind === "wait") return untilReady(placement.worker.hiveId, placement.worker.workerId);
    const { hiveId, name } = placement.hive;
    const startedAt = performance.now();
    const worker = await start(model, placement, wishes);
    const ready = await untilReady(hiveId, worker.worker_id).catch((error: unknown) => {
      fresh.leaves(worker.worker_id);
      const failure = toRbeeError(error);
      if (countsAgainst(failure)) breaker.failed(model, hiveOf(failure) ?? hiveId, failure);
      throw error;
    });
    for (const each of hivesOf(ready)) breaker.succeeded(model, each);
    log.info(
      { model, hive: name, worker: ready.workerId, ms: Math.round(performance.now() - startedAt) },
      "model loaded",
    );
    return ready;
  };

  const underWay = (model: string, where: Where) => {
    const { context_length } = contextWish(spawnOptions(model), where);
    return [...running].find((load) => load.model === model && suits(load, where, context_length));
  };

  return {
    start,
    isOnlyReserved: (workerId, model, where) =>
      [...reservations].some((worker) => worker.workerId === workerId) && underWay(model, where) === undefined,
    reserved: (hiveId) => [...reservations].filter((worker) => worker.hiveId === hiveId),
    share(model, placement, where = {}) {
      const wishes = contextWish(spawnOptions(model), where);
      const shared = underWay(model, where);
      if (shared !== undefined) return shared.worker;
      const worker = bring(model, placement, wishes)
        .then((ready) => {
          tenure.ready(ready.workerId);
          fresh.add(placement.kind === "load" ? { ...ready, ...memoryOf(placement) } : ready);
          return ready;
        })
        .catch((error: unknown) => {
          log.warn({ model, err: toRbeeError(error).message, code: toRbeeError(error).code }, "model did not load");
          throw error;
        })
        .finally(() => running.delete(load));
      const load = runningLoad(model, placement, worker, wishes.context_length);
      running.add(load);
      return worker;
    },
  };
}
