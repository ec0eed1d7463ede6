import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, spreadText, type JobRequest, type Worker } from "@rbee/contract";
import { cleanUp, narrate, progress, step } from "@rbee/jobs";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { InferenceService, SpawnChoice } from "#lib/server/inference/index.ts";
import { hiveNamed } from "./hive-named.ts";
import type { Operation } from "./operation.ts";

const limitMs = 300_000;
/** How long a hive that has only just started is waited for. */
const hiveWaitMs = 20_000;
const lookEveryMs = 200;

type SpawnRequest = Extract<JobRequest, { operation: "worker_spawn" }>;
interface Parts {
  hives: Pick<HivesService, "registry">;
  inference: Pick<InferenceService, "spawning">;
}

/**
 * Starts a worker on the hive that suits best, or the one named, and waits until its model is loaded. A worker that
 * is not ready when the job stops is stopped again.
 * @throws {RbeeError} `node_not_found` when the named hive is not enrolled.
 */
export function workerSpawn({ hives, inference: { spawning } }: Parts, request: SpawnRequest): Operation {
  const { model, hive_id, backend, device, slots, context_length } = request;
  const named = hive_id === undefined ? undefined : hiveNamed(hives, hive_id);

  const choose = (signal: AbortSignal): Promise<SpawnChoice> =>
    spawning.choose({
      model,
      hiveId: hive_id,
      backend,
      device,
      options: {
        ...(slots === undefined ? {} : { slots }),
        ...(context_length === undefined ? {} : { context_length }),
      },
      waitMs: hiveWaitMs - 1_000,
      signal,
    });

  const load = async (choice: SpawnChoice, started: Worker, signal: AbortSignal): Promise<Worker> => {
    for (;;) {
      const worker = await spawning.look(choice.hiveId, started.worker_id);
      if (worker.load_progress !== null)
        progress({ phase: "loading", done: Math.round(worker.load_progress * 100), total: 100, unit: "percent" });
      if (worker.state === "ready" || worker.state === "busy") {
        progress({ phase: "loading", done: 100, total: 100, unit: "percent" });
        return worker;
      }
      if (worker.state !== "starting" && worker.state !== "loading") throw loadFailure(worker, choice.name);
      await delay(lookEveryMs, undefined, { signal });
    }
  };

  return {
    subject: named === undefined ? model : `${model} on ${named.name}`,
    timeoutMs: limitMs,
    perform: async () => {
      const choice = await step(
        "placement",
        { timeoutMs: hiveWaitMs, message: `Finding a machine for ${model}` },
        async (signal) => {
          const chosen = await choose(signal);
          for (const reason of chosen.reasons) narrate({ action: "considered", message: `${reason}.` });
          const { spread } = chosen.placement;
          const where = spread === undefined ? chosen.name : spreadText(spread.parts);
          narrate({ action: "chosen", message: `${model} goes to ${where}.`, data: { hive_id: chosen.hiveId } });
          return chosen;
        },
      );
      const actor = `hive:${choice.name}`;
      const started = await step(
        "spawn",
        { timeoutMs: 30_000, actor, message: `Starting a worker on ${choice.name}` },
        async () => {
          if (choice.evicts !== null)
            narrate({ action: "evicting", message: `${choice.evicts} makes room, having nothing to do.` });
          const worker = await spawning.start(choice);
          narrate({
            action: "started",
            message: `${worker.worker_id} starts on ${worker.device ?? "an unknown device"}.`,
          });
          return worker;
        },
      );
      try {
        const worker = await step(
          "load",
          {
            timeoutMs: limitMs - 10_000,
            actor,
            message: `Loading ${model}`,
            timeoutCode: "worker_load_timeout",
          },
          (signal) => load(choice, started, signal),
        );
        narrate({
          actor,
          action: "ready",
          message: `${model} is ready on ${choice.name}: ${worker.slots_total ?? "?"} slots on ${worker.device ?? "an unknown device"}.`,
        });
        return { worker_id: worker.worker_id, hive_id: choice.hiveId, hive: choice.name, device: worker.device };
      } catch (error) {
        await cleanUp("stop_worker", { timeoutMs: 15_000, actor, message: "Stopping the unfinished worker" }, () =>
          spawning.abandon(choice.hiveId, started.worker_id),
        );
        throw error;
      }
    },
  };
}

function loadFailure(worker: Worker, hive: string): RbeeError {
  if (worker.error !== null) return RbeeError.fromBody({ error: worker.error }, "worker_spawn_failed");
  return new RbeeError("worker_spawn_failed", `The worker of ${worker.model} on ${hive} ended before it was ready.`);
}
