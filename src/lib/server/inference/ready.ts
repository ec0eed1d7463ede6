import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, toRbeeError, type ErrorCode, type WorkerSpawn } from "@rbee/contract";
import { modelNotFound } from "#lib/server/models/index.ts";
import type { Breaker } from "./breaker.ts";
import { contextWish } from "./context-wish.ts";
import type { InFlight } from "./in-flight.ts";
import { countsAgainst, hiveOf, type Loading } from "./loading.ts";
import type { MemoryLine } from "./memory-line.ts";
import {
  place,
  type Failing,
  type FleetView,
  type Placement,
  type PlacementRequest,
  type Where,
  type WorkerView,
} from "./placement.ts";

/** How long a hive that is only just starting is waited for. */
const hiveWaitMs = 15_000;
const lookAgainMs = 250;
const retryAfterS = 5;

export interface ReadyOptions {
  fleet: () => FleetView;
  /** Ids of the models that exist, for the error about one that does not. */
  models: () => readonly string[];
  /** Share of a model that is loaded; null when it is unknown. */
  progress: (model: string) => number | null;
  /** What the household decided about workers of a model. */
  spawnOptions: (model: string) => Partial<WorkerSpawn>;
  loading: Loading;
  breaker: Breaker;
  line: MemoryLine;
  inFlight: InFlight;
  loadWaitMs: number;
}

/**
 * Gives a worker that has the model ready, loading it when it must: within `waitMs`, or as long as the household lets
 * requests wait.
 * @throws {RbeeError} `model_loading` when it takes longer than the household lets requests wait, `model_not_found`,
 * `hive_down`, `backend_unavailable`, `insufficient_ram`, `insufficient_vram`, and what made a load fail. Rejects with
 * the signal's reason when the client leaves; the load goes on for the others.
 */
export type EnsureReady = (
  model: string,
  signal: AbortSignal,
  avoid: ReadonlySet<string>,
  options?: { where?: Where | undefined; waitMs?: number | undefined },
) => Promise<WorkerView>;

const nothing = Symbol("nothing");
const endedCodes: ReadonlySet<ErrorCode> = new Set(["worker_not_found", "worker_crashed", "worker_spawn_failed"]);

const without = (fleet: FleetView, gone: ReadonlySet<string>): FleetView =>
  gone.size === 0
    ? fleet
    : {
        ...fleet,
        hives: fleet.hives.map((hive) => ({
          ...hive,
          // Of servers of others it is known what became of them.
          workers: hive.workers.flatMap((worker) => {
            if (!gone.has(worker.workerId)) return [worker];
            return worker.external === undefined ? [] : [{ ...worker, state: "stopped" as const }];
          }),
        })),
      };

/** The promise's answer, or `nothing` after `ms`; rejects when the signal aborts. */
async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | typeof nothing> {
  const timer = new AbortController();
  try {
    const limit = delay(Math.max(0, ms), nothing, { signal: AbortSignal.any([signal, timer.signal]) });
    return await Promise.race([promise, limit]);
  } finally {
    timer.abort();
  }
}

/** The error that a refused placement is told as. */
export function refusal(
  { model, backend, device }: Pick<PlacementRequest, "model" | "backend" | "device">,
  { error, reasons, memory, failing, available, engine, suggestion, vanished }: Extract<Placement, { kind: "refuse" }>,
  known: readonly string[],
): RbeeError {
  if (vanished !== undefined)
    return new RbeeError(
      "model_not_found",
      `${model} was served by ${vanished.server}, which does not serve it any more.`,
      {
        param: "model",
        details: { models: known, reasons },
        suggestion: `Start ${vanished.server} again; the model is back within seconds.`,
      },
    );
  if (error === "model_not_found" && suggestion === undefined) return modelNotFound(model, known, reasons);
  if (failing !== undefined) {
    const { message, details, suggestion } = failing.error;
    return new RbeeError(failing.error.code, message, {
      details: { ...details, reasons, failures: failing.failures },
      suggestion: suggestion ?? `\`rbee explain ${model}\` says more.`,
      retryAfterS: failing.retryAfterS,
    });
  }
  const details = {
    reasons,
    ...(engine === undefined ? {} : { engine }),
    ...(memory === undefined ? {} : { need_mb: memory.needMb, have_mb: memory.haveMb }),
    ...(available === undefined
      ? {}
      : {
          requested: device ?? backend,
          available_backends: available.backends,
          available_devices: available.devices,
        }),
  };
  const wanted = available === undefined ? "now" : `on ${device ?? backend ?? "that"}`;
  return new RbeeError(error, `${model} cannot run ${wanted}: ${reasons.join("; ")}.`, {
    details,
    ...(available === undefined
      ? {}
      : {
          param: device === undefined ? "backend" : "device",
          suggestion: `Choose one of ${(device === undefined ? available.backends : available.devices).join(", ")}.`,
        }),
    ...(engine === undefined
      ? {}
      : {
          param: "engine",
          suggestion: `Put ${engine} on the PATH of a machine that has the model (\`npm run llama:build\` builds it where rbee's sources are), or leave the engine to rbee: \`rbee model set ${model} --engine auto\`.`,
        }),
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(error === "hive_down" ? { suggestion: "Start rbee-hive on a machine that has this model." } : {}),
    ...(error === "model_loading" ? { retryAfterS } : {}),
  });
}

/** What one request has found out while it tried. */
interface Tried {
  /** Workers that turned out to have ended. */
  readonly gone: Set<string>;
  /** Hives on which loading has just failed. */
  readonly failed: Map<string, Failing>;
  /** What hives said is free when they refused. */
  readonly told: Map<string, Record<string, number>>;
  error: unknown;
}

export function createEnsureReady(options: ReadyOptions): EnsureReady {
  const { fleet, models, progress, spawnOptions, loading, breaker, line, inFlight } = options;

  const stillLoading = (model: string) => {
    const done = progress(model);
    const share = done === null ? "" : ` (${Math.round(done * 100)} %)`;
    return new RbeeError("model_loading", `${model} is still loading${share}.`, {
      retryAfterS,
      details: { progress: done },
    });
  };
  const stillWaiting = (model: string, reasons: readonly string[]) =>
    new RbeeError("model_loading", `${model} waits for memory that others use: ${reasons.join("; ")}.`, {
      retryAfterS,
      details: { progress: null, reasons },
      suggestion: "Ask again in a while, stop another worker, or take a smaller model.",
    });

  /** Notes how a load ended; false when there is nothing else to try. */
  const learn = (thrown: unknown, decision: Placement, tried: Tried): boolean => {
    const error = toRbeeError(thrown);
    if (decision.kind === "wait") {
      // A worker that was not ours to begin with has ended: that is no reason to refuse the request.
      if (tried.gone.has(decision.worker.workerId) || !endedCodes.has(error.code)) return false;
      tried.gone.add(decision.worker.workerId);
      return true;
    }
    if (decision.kind !== "load") return false;
    const { devices } = decision.hive;
    // A helper's trouble is not its main hive's.
    const hiveId = hiveOf(error) ?? decision.hive.hiveId;
    if (tried.failed.has(hiveId)) return false;
    tried.error = thrown;
    const have = error.details?.["have_mb"];
    const isRam = error.code === "insufficient_ram";
    if ((isRam || error.code === "insufficient_vram") && typeof have === "number" && !tried.told.has(hiveId)) {
      const device = devices.find(({ id }) => id === decision.device);
      tried.told.set(hiveId, { [isRam ? "ram" : (device?.memory_of ?? decision.device)]: have });
      return true;
    }
    if (!countsAgainst(error) && error.code !== "hive_unreachable") return false;
    tried.failed.set(hiveId, { failures: 1, error, retryAfterS: 0 });
    return true;
  };

  return async (model, signal, avoid, { where = {}, waitMs: loadWaitMs = options.loadWaitMs } = {}) => {
    const startedAt = performance.now();
    const elapsed = () => performance.now() - startedAt;
    const tried: Tried = { gone: new Set(), failed: new Map(), told: new Map(), error: undefined };
    const request = (): PlacementRequest => ({
      ...where,
      model,
      avoid,
      options: { ...spawnOptions(model), ...contextWish(spawnOptions(model), where) },
      failing: tried.failed.size === 0 ? breaker.open(model) : new Map([...breaker.open(model), ...tried.failed]),
      told: tried.told,
    });
    const decide = () => place(request(), without(fleet(), tried.gone));
    let decision = decide();
    if (decision.kind === "use") return decision.worker;
    const leave = inFlight.wait();
    let waits: ReturnType<MemoryLine["join"]> | undefined;
    /** Waits for its turn at memory that others use or that others wait for longer. */
    const later = async (hiveId: string, frees: readonly WorkerView[], reasons: readonly string[]) => {
      if (elapsed() > loadWaitMs) throw stillWaiting(model, reasons);
      waits ??= line.join(model);
      waits.waitsFor(
        hiveId,
        frees.map(({ workerId }) => workerId),
      );
      // What a hive said is old by now.
      tried.told.clear();
      await delay(lookAgainMs, undefined, { signal });
    };
    try {
      for (;;) {
        signal.throwIfAborted();
        switch (decision.kind) {
          case "use":
            return decision.worker;
          case "later":
            await later(decision.hive.hiveId, decision.frees, decision.reasons);
            break;
          case "load":
          case "wait": {
            if (decision.kind === "load" && decision.evicts.length > 0 && line.isBehind(model, decision.hive.hiveId)) {
              await later(decision.hive.hiveId, decision.evicts, ["others have waited for it longer"]);
              break;
            }
            waits?.leave();
            waits = undefined;
            if (decision.kind === "wait" && loading.isOnlyReserved(decision.worker.workerId, model, where)) {
              // Somebody else is bringing it up, and it has no name yet.
              if (elapsed() > loadWaitMs) throw stillLoading(model);
              await delay(lookAgainMs, undefined, { signal });
              break;
            }
            try {
              const worker = await within(loading.share(model, decision, where), loadWaitMs - elapsed(), signal);
              if (worker === nothing) throw stillLoading(model);
              return worker;
            } catch (thrown) {
              if (signal.aborted || toRbeeError(thrown).code === "model_loading") throw thrown;
              if (!learn(thrown, decision, tried)) throw thrown;
            }
            break;
          }
          case "refuse":
            if (!decision.soon || elapsed() > Math.min(hiveWaitMs, loadWaitMs))
              throw tried.error ?? refusal({ ...where, model }, decision, models());
            await delay(lookAgainMs, undefined, { signal });
        }
        decision = decide();
      }
    } finally {
      waits?.leave();
      leave();
    }
  };
}
