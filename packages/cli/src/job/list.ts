import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatDuration, formatMoment } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

interface Options extends CommonOptions {
  limit: number;
}

/** `rbee job list`. */
export function jobList(parent: Command): void {
  verb(parent, "list", {
    summary: "list the household's jobs, newest first",
    examples: ["rbee job list", "rbee job list --limit 5 --json"],
  })
    .option("--limit <number>", "at most this many", wholeNumber(1, 500), 20)
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const { data } = await connect().client.listJobs({ query: { limit: options.limit }, signal });
        if (data.length === 0) narrate("queen", "has had no jobs yet");
        const now = Date.now();
        answer(data, () =>
          data.length === 0
            ? ""
            : table(data, [
                { title: "JOB", cell: ({ job_id }) => job_id },
                { title: "WHAT", cell: ({ operation }) => operation },
                { title: "ABOUT", cell: ({ subject }) => subject },
                { title: "STATE", cell: ({ state }) => state },
                { title: "STARTED", cell: ({ created_at }) => formatMoment(created_at, now) },
                {
                  title: "TOOK",
                  cell: ({ created_at, finished_at }) => formatDuration((finished_at ?? now) - created_at),
                  align: "right",
                },
                { title: "BY", cell: ({ started_by }) => started_by ?? "rbee" },
              ]),
        );
      }),
    );
}
