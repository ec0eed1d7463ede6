import { setTimeout as delay } from "node:timers/promises";
import type { HiveClient, RbeeError, Worker, WorkerSpawn } from "@rbee/contract";
import type { ModelsService } from "#lib/server/models/index.ts";
import { viewOf } from "./loading.ts";
import type { FreshWorkers } from "./fleet-view.ts";
import { consider, place, type FleetView, type Placement } from "./placement.ts";

/** Where a worker would be started, and what was said about every hive. */
export interface SpawnChoice {
  readonly hiveId: string;
  readonly name: string;
  /** The model's id, where it was named by an alias. */
  readonly model: string;
  /** One plain clause for each hive that was considered. */
  readonly reasons: readonly string[];
}

/** Workers that somebody asks for, rather than a chat. */
export interface Spawning {
  /**
   * The hive that suits a new worker best, or the named one if it does; while a hive is only just starting it waits.
   * @throws {RbeeError} `model_not_found`, `model_loading`, `hive_down`, `insufficient_ram`, `insufficient_vram`.
   */
  choose(request: {
    model: string;
    hiveId?: string | undefined;
    waitMs: number;
    signal: AbortSignal;
  }): Promise<SpawnChoice>;
  /** Starts a worker with what was decided about its model; it is not loaded yet. @throws {RbeeError} what the hive answers. */
  start(hiveId: string, request: WorkerSpawn): Promise<Worker>;
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
  models: Pick<ModelsService, "resolve" | "spawnOptions">;
  refusal: (model: string, placement: Extract<Placement, { kind: "refuse" }>) => RbeeError;
}): Spawning {
  const { fleet, client, fresh, models, refusal } = options;
  return {
    async choose({ model: named, hiveId, waitMs, signal }) {
      const model = models.resolve(named);
      const deadline = performance.now() + waitMs;
      for (;;) {
        const hives = fleet()
          .hives.filter((hive) => hiveId === undefined || hive.hiveId === hiveId)
          .map((hive) => ({ ...hive, workers: [] }));
        const placement = place({ model }, { hives });
        if (placement.kind === "load") {
          const { hiveId: chosen, name } = placement.hive;
          return { hiveId: chosen, name, model, reasons: consider(model, { hives }) };
        }
        if (placement.kind !== "refuse") throw new Error("a fleet without workers can only load or refuse");
        if (!placement.soon || performance.now() > deadline) throw refusal(model, placement);
        await delay(lookAgainMs, undefined, { signal });
      }
    },
    async start(hiveId, body) {
      const worker = await client(hiveId).spawnWorker({ body: { ...models.spawnOptions(body.model), ...body } });
      // A chat that comes before the hive's next heartbeat waits for this worker instead of starting another.
      fresh.add({ ...viewOf(hiveId, worker), state: worker.state });
      return worker;
    },
    async look(hiveId, workerId) {
      const worker = await client(hiveId).getWorker({ params: { id: workerId } });
      if (worker.state === "ready") fresh.add(viewOf(hiveId, worker));
      return worker;
    },
    async abandon(hiveId, workerId) {
      fresh.forget(workerId);
      await client(hiveId).stopWorker({ params: { id: workerId }, query: { drain_ms: 0 } });
    },
  };
}
