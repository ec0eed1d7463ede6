import type { Command } from "commander";
import { seconds, wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

interface Options extends CommonOptions {
  limit: number;
  since?: number;
}

/** `rbee usage`. */
export function usage(parent: Command): void {
  verb(parent, "usage", {
    summary: "show your requests, newest first; an administrator sees everybody's",
    examples: ["rbee usage", "rbee usage --since 24h --limit 1000 --json"],
  })
    .option("--limit <number>", "at most this many", wholeNumber(1, 1_000), 20)
    .option("--since <time>", "only those of the last 24h, 7d, …", seconds)
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const now = Date.now();
        const { data } = await connect().client.listUsage({
          query: {
            limit: options.limit,
            ...(options.since === undefined ? {} : { since: now - options.since * 1_000 }),
          },
          signal,
        });
        if (data.length === 0) narrate("queen", "no requests in that time");
        answer(data, () =>
          data.length === 0
            ? ""
            : table(data, [
                { title: "WHEN", cell: ({ started_at }) => formatMoment(started_at, now) },
                { title: "WHO", cell: ({ user, key_name }) => (key_name === null ? user : `${user} (${key_name})`) },
                { title: "MODEL", cell: ({ model }) => model },
                { title: "IN", cell: ({ prompt_tokens }) => orDash(prompt_tokens), align: "right" },
                { title: "OUT", cell: ({ completion_tokens }) => orDash(completion_tokens), align: "right" },
                {
                  title: "FIRST TOKEN",
                  cell: ({ time_to_first_token_ms: ms }) => orDash(ms === null ? null : `${Math.round(ms)} ms`),
                  align: "right",
                },
                { title: "TIME", cell: ({ duration_ms }) => `${(duration_ms / 1_000).toFixed(1)} s`, align: "right" },
                {
                  title: "ENDED",
                  cell: ({ error_code, status }) => error_code ?? (status < 400 ? "well" : String(status)),
                },
              ]),
        );
      }),
    );
}
