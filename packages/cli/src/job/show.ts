import type { Job } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { formatDuration } from "../terminal/format.ts";
import { followJob, succeeded } from "./follow.ts";

interface FollowOptions extends CommonOptions {
  verbose?: boolean;
}

interface Options extends FollowOptions {
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

/** Watches a job from its first event to its end, and fails as it did; Ctrl-C ends the watching alone. */
async function watch(context: Context, id: string, { verbose }: FollowOptions): Promise<void> {
  succeeded(await followJob(context, context.connect(), id, { cancelOnInterrupt: false, verbose }), context);
}

/** `rbee job follow`. */
export function jobFollow(parent: Command): void {
  verb(parent, "follow <job>", {
    summary:
      "tell all that happened in a job and goes on in it, until it is over; Ctrl-C ends the watching, not the job",
    examples: ["rbee job follow job:1f0c…", "rbee job follow job:1f0c… --verbose"],
  })
    .option("-v, --verbose", "show the raw output of commands too")
    .action((id: string, options: FollowOptions) => perform(options, (context) => watch(context, id, options)));
}

/** `rbee job show`. */
export function jobShow(parent: Command): void {
  verb(parent, "show <job>", {
    summary: "show one job; with --follow everything it tells, until it is over",
    examples: ["rbee job show job:1f0c… --follow"],
  })
    .option("--follow", "as `rbee job follow`")
    .option("-v, --verbose", "with --follow: show the raw output of commands too")
    .action((id: string, options: Options) =>
      perform(options, async (context) => {
        if (options.follow === true) {
          await watch(context, id, options);
          return;
        }
        const job = await context.connect().client.getJob({ params: { id }, signal: context.signal });
        context.answer(job, () => describeJob(job));
      }),
    );
}
