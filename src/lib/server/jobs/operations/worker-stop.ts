import { setTimeout as delay } from "node:timers/promises";
import type { JobRequest } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { HivesService } from "#lib/server/hives/index.ts";
import { hiveNamed } from "./hive-named.ts";
import type { Operation } from "./operation.ts";

/** Answers that still run may take this long to end. */
const drainMs = 30_000;
const lookEveryMs = 1_000;

/**
 * Lets a worker finish its answers, then stops it.
 * @throws {RbeeError} `node_not_found` when the hive is not enrolled.
 */
export function workerStop(
  { hives }: { hives: Pick<HivesService, "registry" | "contact"> },
  { hive_id, worker_id }: Extract<JobRequest, { operation: "worker_stop" }>,
): Operation {
  const hive = hiveNamed(hives, hive_id);
  const model = hive.heartbeat?.workers.find((worker) => worker.worker_id === worker_id)?.model;
  const params = { id: worker_id };

  return {
    subject: `${model ?? worker_id} on ${hive.name}`,
    timeoutMs: drainMs + 20_000,
    perform: () =>
      step(
        "drain",
        { timeoutMs: drainMs + 15_000, actor: `hive:${hive.name}`, message: "Letting its answers end" },
        async (signal) => {
          const client = hives.contact.client(hive);
          const watching = new AbortController();
          const watch = async (until: AbortSignal) => {
            for (let told = -1; ; await delay(lookEveryMs, undefined, { signal: until })) {
              const { slots_busy } = await client.getWorker({ params, signal: until });
              const busy = slots_busy ?? 0;
              if (busy !== told)
                narrate({
                  action: "draining",
                  message:
                    busy === 0 ? "No answer runs." : `${busy} ${busy === 1 ? "answer runs" : "answers run"} still.`,
                });
              told = busy;
            }
          };
          // What is wrong with the worker, stopping it says; watching only tells how far it is.
          const watched = watch(AbortSignal.any([signal, watching.signal])).catch(() => {});
          try {
            await client.stopWorker({ params, query: { drain_ms: drainMs }, signal, timeoutMs: drainMs + 10_000 });
          } finally {
            watching.abort();
            await watched;
          }
          narrate({ action: "stopped", message: `${model ?? worker_id} no longer runs on ${hive.name}.` });
          return { worker_id, hive_id };
        },
      ),
  };
}
