import { RbeeError } from "@rbee/contract";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";

export interface LogOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

/** A log that the queen reads for us. */
export interface ShownLog {
  /** What each line is of, with `--json`. */
  readonly of: Readonly<Record<string, string>>;
  /** How people call it. */
  readonly name: string;
  readonly open: (connection: Connection) => Promise<Response>;
}

/** Whole lines out of chunks of text; the last one may lack its end. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/**
 * Shows a log, to stdout as it is; with `--json` an object a line.
 * @throws {RbeeError} what opening it throws; `queen_unreachable` or `hive_unreachable` when it ends while it is followed.
 */
export async function showLog(context: Context, { of, name, open }: ShownLog, { follow }: LogOptions): Promise<void> {
  const connection = context.connect();
  const { signal, terminal, json } = context;
  const { body } = await open(connection);
  if (body === null) return;
  try {
    for await (const line of linesOf(body)) terminal.out(json ? JSON.stringify({ ...of, line }) : line);
  } catch (cause) {
    signal.throwIfAborted();
    throw new RbeeError("queen_unreachable", `The connection to the queen at ${connection.url} broke.`, {
      suggestion: "Run it again to go on watching.",
      cause,
    });
  }
  signal.throwIfAborted();
  // The queen ends such a stream only when she, or the way to the machine, does.
  if (follow === true) throw new RbeeError("hive_unreachable", `The log of ${name} ended.`);
}

/** Adds `--follow` and `--lines`. */
export const logOptions = (command: Command): Command =>
  command
    .option("-f, --follow", "go on with what is logged from now on; Ctrl-C ends it")
    .option("-n, --lines <number>", "how many of the last lines", wholeNumber(1, 5_000), 200);
