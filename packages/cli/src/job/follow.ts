import { RbeeError, type JobEvent, type JobRequest, type ProgressEvent, type ResultEvent } from "@rbee/contract";
import { followJobEvents } from "@rbee/jobs";
import type { Connection } from "../connection/connect.ts";
import type { Context } from "../command.ts";
import { Failed } from "../failure.ts";
import { formatBytes, formatDuration } from "../terminal/format.ts";

type FollowContext = Pick<Context, "terminal" | "narrate" | "json" | "signal">;

/** How far a phase is, in words; what is not known is left out. */
export function progressText({ phase, done, total, unit, rate }: ProgressEvent): string {
  const amount = (value: number) => (unit === "bytes" ? formatBytes(value) : String(Math.round(value)));
  if (unit === "percent") return `${phase} ${Math.round(done)} %`;
  const parts = [total === null ? amount(done) : `${amount(done)} of ${amount(total)}`];
  if (rate !== null && rate > 0) {
    parts.push(`${amount(rate)}/s`);
    if (total !== null && total > done) parts.push(`${formatDuration(((total - done) / rate) * 1_000)} left`);
  }
  return `${phase} ${parts.join(", ")}`;
}

function show(event: JobEvent, { terminal, narrate, json }: FollowContext): void {
  if (json) terminal.out(JSON.stringify(event));
  else if (event.type === "progress") terminal.progress(event.actor, progressText(event));
  else if (event.type === "narration" && event.level !== "debug") {
    const { errorColours: colour } = terminal;
    const paint =
      event.level === "error" ? colour.red : event.level === "warn" ? colour.yellow : (text: string) => text;
    narrate(event.actor, paint(event.message));
  }
}

/**
 * Shows a job to its end: narration and progress on stderr, with `--json` every event as a line on stdout. A connection
 * that breaks is made again.
 * @param options `cancelOnInterrupt`: Ctrl-C cancels the job on the queen and waits until it is over; otherwise it only
 *   ends the watching.
 * @throws {RbeeError} the error the job ended with, unless the event lines have told it; what following met.
 */
export async function followJob(
  context: FollowContext,
  { client }: Connection,
  jobId: string,
  { cancelOnInterrupt }: { cancelOnInterrupt: boolean },
): Promise<ResultEvent> {
  const { signal, narrate, json } = context;
  const params = { id: jobId };
  const cancel = () => {
    narrate("queen", "cancels the job");
    // What went wrong with it shows in the job that goes on.
    client.cancelJob({ params }).catch(() => {});
  };
  if (cancelOnInterrupt) signal.addEventListener("abort", cancel, { once: true });
  if (cancelOnInterrupt && signal.aborted) cancel();
  try {
    const open = (afterSeq: number) =>
      client.raw.streamJob({
        params,
        headers: afterSeq === 0 ? {} : { "last-event-id": String(afterSeq) },
        ...(cancelOnInterrupt ? {} : { signal }),
      });
    for await (const event of followJobEvents(open, {
      source: "the queen",
      ...(cancelOnInterrupt ? {} : { signal }),
    })) {
      show(event, context);
      if (event.type !== "result") continue;
      signal.throwIfAborted();
      if (event.status === "succeeded") return event;
      if (json) throw new Failed();
      throw event.error === undefined
        ? new RbeeError("internal_error", `The job ended as ${event.status}.`)
        : RbeeError.fromBody({ error: event.error }, "internal_error");
    }
    throw new RbeeError("hive_invalid_response", "The job's stream ended without a result.");
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Starts a job and shows it to its end; Ctrl-C cancels it. @throws what `followJob` throws. */
export async function runJob(
  context: FollowContext,
  connection: Connection,
  request: JobRequest,
): Promise<ResultEvent> {
  const { job_id } = await connection.client.startJob({ body: request, signal: context.signal });
  return followJob(context, connection, job_id, { cancelOnInterrupt: true });
}
