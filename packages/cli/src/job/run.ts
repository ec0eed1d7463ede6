import type { JobRequest, ResultEvent, SshAccess } from "@rbee/contract";
import type { Command } from "commander";
import { verb, type CommonOptions, type Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { withSshAccess, type SshOptions } from "../ssh/access.ts";
import { followJob, succeeded } from "./follow.ts";

/** The options of a verb that is a job. */
export interface JobOptions extends CommonOptions {
  readonly detach?: boolean;
  readonly verbose?: boolean;
}

/** As `verb`, for one that starts a job: with `--detach` and `--verbose`. */
export function jobVerb(parent: Command, usage: string, text: Parameters<typeof verb>[2]): Command {
  return verb(parent, usage, text)
    .option("--detach", "start the job, print its id and leave")
    .option("-v, --verbose", "show the raw output of commands too");
}

/**
 * Starts a job and shows it to its end, whatever that is; Ctrl-C cancels it.
 * @returns Its result; undefined when it was only started.
 * @throws what `followJob` throws.
 */
export async function runToEnd(
  context: Context,
  connection: Connection,
  request: JobRequest,
  { detach, verbose }: JobOptions,
): Promise<ResultEvent | undefined> {
  context.signal.throwIfAborted();
  // An interruption waits for the answer: only then is there something to cancel.
  const accepted = await connection.client.startJob({ body: request });
  if (detach !== true) return followJob(context, connection, accepted.job_id, { cancelOnInterrupt: true, verbose });
  context.narrate("keeper", `\`rbee job follow ${accepted.job_id}\` shows how it goes`);
  context.answer(accepted, () => accepted.job_id);
  return undefined;
}

/** As `runToEnd`, but throws what the job failed with. @throws what `succeeded` throws. */
export async function runJob(
  context: Context,
  connection: Connection,
  request: JobRequest,
  options: JobOptions,
): Promise<ResultEvent | undefined> {
  const result = await runToEnd(context, connection, request, options);
  return result === undefined ? undefined : succeeded(result, context);
}

/** As `runJob`, for a job that signs in over SSH: what it needs of a person is asked for, and it is run again. */
export function runSshJob(
  context: Context,
  connection: Connection,
  options: JobOptions & SshOptions,
  request: (access: { ssh?: SshAccess }) => JobRequest,
): Promise<ResultEvent | undefined> {
  return withSshAccess(context, options, (access) => runJob(context, connection, request(access), options));
}
