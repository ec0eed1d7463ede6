import type { Job } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatDuration } from "../terminal/format.ts";
import { followJob } from "./follow.ts";

interface Options extends CommonOptions {
  follow?: boolean;
}

function describeJob({ job_id, operation, subject, state, started_by, created_at, finished_at, error }: Job): string {
  const took = finished_at === null ? "" : ` after ${formatDuration(finished_at - created_at)}`;
  return [
    `${job_id}  ${operation}  ${subject}`,
    `${state}${took}, started by ${started_by ?? "rbee"} at ${new Date(created_at).toISOString()}`,
    ...(error === null ? [] : [error.message, ...(error.suggestion === undefined ? [] : [error.suggestion])]),
  ].join("\n");
}

/** `rbee job show`. */
export function jobShow(parent: Command): void {
  verb(parent, "show <job>", {
    summary: "show one job; with --follow everything it tells, until it is over",
    examples: ["rbee job show job:1f0c… --follow"],
  })
    .option("--follow", "tell all that happens; Ctrl-C ends the watching, not the job")
    .action((id: string, options: Options) =>
      perform(options, async (context) => {
        const connection = context.connect();
        const job = await connection.client.getJob({ params: { id }, signal: context.signal });
        if (options.follow === true) await followJob(context, connection, id, { cancelOnInterrupt: false });
        else context.answer(job, () => describeJob(job));
      }),
    );
}
