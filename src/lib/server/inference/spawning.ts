import { setTimeout as delay } from "node:timers/promises";
import {
  toRbeeError,
  type Backend,
  type HiveClient,
  type RbeeError,
  type Worker,
  type WorkerSpawn,
} from "@rbee/contract";
import type { ModelsService } from "#lib/server/models/index.ts";
import type { Breaker } from "./breaker.ts";
import type { FreshWorkers } from "./fleet-view.ts";
import { countsAgainst, hiveOf, hivesOf, loadFailure, viewOf, type Loading } from "./loading.ts";
import { consider, place, reasonsIn, type FleetView, type Placement, type PlacementRequest } from "./placement.ts";
import { modelsOf } from "./sentences.ts";
import type { Tenure } from "./tenure.ts";

/** Where a worker would be started, and what was said about every hive. */
export interface SpawnChoice {
  readonly hiveId: string;
  readonly name: string;
  /** The model's id, where it was named by an alias. */
  readonly model: string;
  /** One plain clause for each hive that was considered. */
  readonly reasons: readonly string[];
  /** The models of workers that are stopped to make room, in words; null when there are none. */
  readonly evicts: string | null;
  readonly placement: Extract<Placement, { kind: "load" }>;
  readonly options: Partial<WorkerSpawn>;
}

/** Workers that somebody asks for, rather than a chat. Loads that failed before are no reason not to try. */
export interface Spawning {
  /**
   * The hive and device that suit a new worker best, or the named ones if they do; while a hive is only just starting,
   * or memory is used by others, it waits.
   * @throws {RbeeError} `model_not_found`, `model_loading`, `hive_down`, `backend_unavailable`, `insufficient_ram`,
   * `insufficient_vram`.
   */
  choose(request: {
    model: string;
    hiveId?: string | undefined;
    backend?: Backend | undefined;
    device?: string | undefined;
    /** What is to be other than the household decided for this model. */
    options?: Partial<WorkerSpawn>;
    waitMs: number;
    signal: AbortSignal;
  }): Promise<SpawnChoice>;
  /** Starts a worker with what was decided about its model; it is not loaded yet. @throws {RbeeError} what the hive answers. */
  start(choice: SpawnChoice): Promise<Worker>;
  /** The worker now. @throws {RbeeError} what the hive answers. */
  look(hiveId: string, workerId: string): Promise<Worker>;
  /** Ends a worker without waiting for anything. */
  abandon(hiveId: string, workerId: string): Promise<void>;
}

const lookAgainMs = 250;

export function createSpawning(options: {
  fleet: () => FleetView;
  client: (hiveId: string) => HiveClient;
  fresh: FreshWorkers;
  tenure: Tenure;
  breaker: Breaker;
  loading: Loading;
  models: Pick<ModelsService, "resolve" | "spawnOptions">;
  refusal: (request: PlacementRequest, placement: Extract<Placement, { kind: "refuse" }>) => RbeeError;
}): Spawning {
  const { fleet, client, fresh, tenure, breaker, loading, models, refusal } = options;
  return {
    async choose({ model: named, hiveId, backend, device, options: wishes = {}, waitMs, signal }) {
      const model = models.resolve(named);
      const deadline = performance.now() + waitMs;
      const hives = hiveId === undefined ? undefined : new Set([hiveId]);
      const options = { ...models.spawnOptions(model), ...wishes };
      for (;;) {
        const request = { model, hives, backend, device, options, another: true };
        const now = fleet();
        const placement = place(request, now);
        const late = performance.now() > deadline;
        if (placement.kind === "load") {
          const { hiveId: chosen, name } = placement.hive;
          const evicts = placement.evicts.length === 0 ? null : modelsOf(placement.evicts);
          return {
            hiveId: chosen,
            name,
            model,
            reasons: reasonsIn(request, consider(request, now)),
            evicts,
            placement,
            options: wishes,
          };
        }
        if (placement.kind === "refuse" && (!placement.soon || late)) throw refusal(request, placement);
        if (placement.kind === "later" && late)
          throw refusal(request, {
            ...placement,
            kind: "refuse",
            error: "model_loading",
            soon: true,
            memory: undefined,
          });
        await delay(lookAgainMs, undefined, { signal });
      }
    },
    start: ({ model, placement, options: wishes }) => loading.start(model, placement, wishes),
    async look(hiveId, workerId) {
      const worker = await client(hiveId).getWorker({ params: { id: workerId } });
      if (worker.state === "ready" || worker.state === "busy") {
        const view = viewOf(hiveId, worker);
        fresh.add(view);
        tenure.ready(workerId);
        for (const each of hivesOf(view)) breaker.succeeded(worker.model, each);
      } else if (worker.state === "failed") {
        const error = toRbeeError(loadFailure(worker, hiveId));
        if (countsAgainst(error)) breaker.failed(worker.model, hiveOf(error) ?? hiveId, error);
      }
      return worker;
    },
    async abandon(hiveId, workerId) {
      fresh.forget(workerId);
      await client(hiveId).stopWorker({ params: { id: workerId }, query: { drain_ms: 0 } });
    },
  };
}
