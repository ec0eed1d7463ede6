import { RbeeError, type ResultEvent } from "@rbee/contract";
import { followJobEvents, type FollowOptions } from "@rbee/jobs";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { Failed } from "../failure.ts";
import { createNarrator } from "./narrator.ts";

/** So long a job that was cancelled may take to end before the command leaves it alone. */
const cancelLimitMs = 30_000;

export interface Following {
  /** Ctrl-C cancels the job on the queen and waits until it is over; otherwise it only ends the watching. */
  readonly cancelOnInterrupt: boolean;
  /** Whether the raw output of commands is shown too. */
  readonly verbose?: boolean | undefined;
  readonly clock?: FollowOptions["clock"];
}

type FollowContext = Pick<Context, "terminal" | "narrate" | "json" | "signal" | "connect">;

/**
 * Shows a job to its end: narration and progress on stderr, with `--json` every event as a line on stdout. A connection
 * that breaks is made again.
 * @returns How the job ended, whatever that is.
 * @throws {RbeeError} `queen_unreachable` when the queen is gone for good, and what following met; the interruption.
 */
export async function followJob(
  context: FollowContext,
  connection: Connection,
  jobId: string,
  { cancelOnInterrupt, verbose = false, clock }: Following,
): Promise<ResultEvent> {
  const { signal, narrate, json, terminal } = context;
  const params = { id: jobId };
  const narrator = createNarrator({ terminal, verbose });
  const leaving = new AbortController();
  let limit: NodeJS.Timeout | undefined;
  const leave = (words: string) => {
    narrate("keeper", `${words}; \`rbee job follow ${jobId}\` shows how it ends`);
    leaving.abort(signal.reason);
  };
  const cancel = () => {
    narrate("queen", "cancels the job; Ctrl-C again leaves at once");
    limit = setTimeout(() => {
      leave(`the job has not ended within ${cancelLimitMs / 1_000} s`);
    }, cancelLimitMs);
    connection.client.cancelJob({ params }).catch((error: unknown) => {
      leave(`the job could not be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  if (cancelOnInterrupt) {
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
  }
  const until = cancelOnInterrupt ? leaving.signal : signal;

  let connections = 0;
  const open = (afterSeq: number) => {
    connections += 1;
    if (connections > 1) {
      narrator.rest();
      if (connections === 2) narrate("keeper", "the connection to the queen broke; connecting again");
    }
    // A queen that was started again may have another port.
    const { client } = connections > 1 && connection.local ? context.connect() : connection;
    return client.raw.streamJob({
      params,
      headers: afterSeq === 0 ? {} : { "last-event-id": String(afterSeq) },
      signal: until,
    });
  };
  try {
    const following = { source: "the queen", signal: until, ...(clock === undefined ? {} : { clock }) };
    for await (const event of followJobEvents(async (afterSeq) => open(afterSeq), following)) {
      if (json) terminal.out(JSON.stringify(event));
      else narrator.show(event);
      if (event.type !== "result") continue;
      if (signal.aborted) narrate("queen", endAfterCancel(event));
      signal.throwIfAborted();
      return event;
    }
    throw new RbeeError("hive_invalid_response", "The job's stream ended without a result.");
  } catch (error) {
    throw isLost(error) ? queenGone(connection, jobId, error) : error;
  } finally {
    narrator.rest();
    clearTimeout(limit);
    signal.removeEventListener("abort", cancel);
  }
}

function endAfterCancel({ status, error }: ResultEvent): string {
  if (status === "cancelled") return "the job was cancelled";
  return `the job had ended already: ${status}${error === undefined ? "" : `: ${error.message}`}`;
}

const isLost = (error: unknown) =>
  error instanceof RbeeError && ["queen_unreachable", "hive_unreachable"].includes(error.code);

const queenGone = ({ url }: Connection, jobId: string, cause: unknown) =>
  new RbeeError("queen_unreachable", `The queen at ${url} is gone, so it is not known how the job ends.`, {
    details: { job_id: jobId },
    suggestion: `Once she is back, \`rbee job follow ${jobId}\` tells.`,
    cause,
  });

/**
 * The job's result when it succeeded.
 * @throws {RbeeError} the error it ended with; with `--json`, where the event lines have told it, `Failed` with that
 *   error as its cause.
 */
export function succeeded(result: ResultEvent, { json }: Pick<Context, "json">): ResultEvent {
  if (result.status === "succeeded") return result;
  const cause =
    result.error === undefined
      ? new RbeeError("internal_error", `The job ended as ${result.status}.`)
      : RbeeError.fromBody({ error: result.error }, "internal_error");
  throw json ? new Failed(cause.message, { cause }) : cause;
}
