import type { FleetHive, WorkerTelemetry } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatDuration, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

/** A worker with the hive that it runs on. */
export type PlacedWorker = WorkerTelemetry & { hive_id: string; hive: string };

/** All workers of a fleet, in the order of its hives. */
export function workersOf(hives: readonly FleetHive[]): PlacedWorker[] {
  return hives.flatMap(({ hive_id, name, workers }) => workers.map((worker) => ({ ...worker, hive_id, hive: name })));
}

/** Workers as a table. */
export function workerTable(workers: readonly PlacedWorker[]): string {
  if (workers.length === 0) return "";
  return table(workers, [
    { title: "WORKER", cell: ({ worker_id }) => worker_id },
    { title: "MODEL", cell: ({ model }) => model },
    { title: "HIVE", cell: ({ hive }) => hive },
    { title: "DEVICE", cell: ({ device }) => device },
    { title: "STATE", cell: ({ state }) => state },
    { title: "SLOTS", cell: (worker) => `${orDash(worker.slots_busy)}/${orDash(worker.slots_total)}`, align: "right" },
    {
      title: "TOKENS/S",
      cell: ({ tokens_per_s }) => orDash(tokens_per_s === null ? null : tokens_per_s.toFixed(1)),
      align: "right",
    },
    { title: "UP", cell: ({ uptime_s }) => formatDuration(uptime_s * 1_000), align: "right" },
  ]);
}

/** `rbee worker list`. */
export function workerList(parent: Command): void {
  verb(parent, "list", {
    summary: "list the workers: one process per loaded model",
    examples: ["rbee worker list"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const workers = workersOf((await connect().client.fleet({ signal })).hives);
      if (workers.length === 0) narrate("queen", "no worker runs; a request for a model starts one");
      answer(workers, () => workerTable(workers));
    }),
  );
}
