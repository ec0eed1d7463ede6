import { spreadText, type HouseholdWorker } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatDuration, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";
import { workersOf } from "./meant.ts";
import { whereOf } from "./where.ts";

const seconds = (value: number | null) => orDash(value === null ? null : formatDuration(value * 1_000));

/** What a worker holds: of the card it computes on where that is known, else of main memory. */
function memoryOf({ vram_mb, rss_mb }: HouseholdWorker): string {
  const mb = vram_mb ?? rss_mb;
  return orDash(mb === null ? null : `${(mb / 1_024).toFixed(1)} GB`);
}

/** Workers as a table, and under it why those that failed did. */
export function workerTable(workers: readonly HouseholdWorker[]): string {
  if (workers.length === 0) return "";
  const rows = table(workers, [
    { title: "WORKER", cell: ({ worker_id }) => worker_id },
    { title: "MODEL", cell: ({ model }) => model },
    { title: "HIVE", cell: ({ hive, spread }) => (spread === undefined ? hive : spreadText(spread)) },
    { title: "DEVICE", cell: whereOf },
    { title: "STATE", cell: ({ state }) => state },
    { title: "SLOTS", cell: (worker) => `${orDash(worker.slots_busy)}/${orDash(worker.slots_total)}`, align: "right" },
    { title: "QUEUE", cell: ({ queued }) => orDash(queued), align: "right" },
    {
      title: "TOKENS/S",
      cell: ({ tokens_per_s }) => orDash(tokens_per_s === null ? null : tokens_per_s.toFixed(1)),
      align: "right",
    },
    { title: "MEMORY", cell: memoryOf, align: "right" },
    { title: "UP", cell: ({ uptime_s }) => seconds(uptime_s), align: "right" },
    { title: "STOPS IN", cell: ({ stops_in_s }) => seconds(stops_in_s), align: "right" },
  ]);
  const problems = workers.flatMap(({ worker_id, error }) =>
    error === null ? [] : [`${worker_id}: ${error.message}`],
  );
  return [rows, ...problems].join("\n");
}

/** `rbee worker list`. */
export function workerList(parent: Command): void {
  verb(parent, "list", {
    summary: "list the workers: one process per loaded model",
    examples: ["rbee worker list", "rbee worker list --json"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const workers = await workersOf(connect().client, signal);
      if (workers.length === 0) narrate("queen", "no worker runs; a request for a model starts one");
      answer(workers, () => workerTable(workers));
    }),
  );
}
