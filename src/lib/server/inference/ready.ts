import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, toRbeeError, type ErrorCode } from "@rbee/contract";
import { modelNotFound } from "#lib/server/models/index.ts";
import type { InFlight } from "./in-flight.ts";
import type { Loading } from "./loading.ts";
import { place, type FleetView, type Placement, type Where, type WorkerView } from "./placement.ts";

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
  loading: Loading;
  inFlight: InFlight;
  loadWaitMs: number;
}

/**
 * Gives a worker that has the model ready, loading it when it must: within `waitMs`, or as long as the household lets
 * requests wait.
 * @throws {RbeeError} `model_loading` when it takes longer than the household lets requests wait, `model_not_found`,
 * `hive_down`, `insufficient_ram`, `insufficient_vram`, and what made a load fail. Rejects with the signal's reason
 * when the client leaves; the load goes on for the others.
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
        hives: fleet.hives.map((hive) => ({
          ...hive,
          workers: hive.workers.filter((worker) => !gone.has(worker.workerId)),
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
  model: string,
  { error, reasons, memory }: Extract<Placement, { kind: "refuse" }>,
  known: readonly string[],
) {
  if (error === "model_not_found") return modelNotFound(model, known, reasons);
  const details = {
    reasons,
    ...(memory === undefined ? {} : { need_mb: memory.needMb, have_mb: memory.haveMb }),
  };
  return new RbeeError(error, `${model} cannot run now: ${reasons.join("; ")}.`, {
    details,
    ...(error === "hive_down" ? { suggestion: "Start rbee-hive on a machine that has this model." } : {}),
    ...(error === "model_loading" ? { retryAfterS } : {}),
  });
}

export function createEnsureReady(options: ReadyOptions): EnsureReady {
  const { fleet, models, progress, loading, inFlight } = options;

  const stillLoading = (model: string) => {
    const done = progress(model);
    const share = done === null ? "" : ` (${Math.round(done * 100)} %)`;
    return new RbeeError("model_loading", `${model} is still loading${share}.`, {
      retryAfterS,
      details: { progress: done },
    });
  };

  return async (model, signal, avoid, { where = {}, waitMs: loadWaitMs = options.loadWaitMs } = {}) => {
    const startedAt = performance.now();
    const elapsed = () => performance.now() - startedAt;
    const gone = new Set<string>();
    const decide = () => place({ ...where, model, avoid }, without(fleet(), gone));
    let decision = decide();
    if (decision.kind === "use") return decision.worker;
    const leave = inFlight.wait();
    try {
      for (;;) {
        signal.throwIfAborted();
        if (decision.kind === "use") return decision.worker;
        if (decision.kind !== "refuse") {
          const awaited = decision.kind === "wait" ? decision.worker.workerId : undefined;
          try {
            const worker = await within(loading.share(model, decision, where), loadWaitMs - elapsed(), signal);
            if (worker === nothing) throw stillLoading(model);
            return worker;
          } catch (thrown) {
            // A worker that was not ours to begin with has ended: that is no reason to refuse the request.
            if (awaited === undefined || gone.has(awaited) || !endedCodes.has(toRbeeError(thrown).code)) throw thrown;
            gone.add(awaited);
            decision = decide();
            continue;
          }
        }
        if (!decision.soon || elapsed() > Math.min(hiveWaitMs, loadWaitMs)) throw refusal(model, decision, models());
        await delay(lookAgainMs, undefined, { signal });
        decision = decide();
      }
    } finally {
      leave();
    }
  };
}
