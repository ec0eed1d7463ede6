import { RbeeError } from "@rbee/contract";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";

interface Options extends CommonOptions {
  readonly follow?: boolean;
  readonly lines: number;
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

/** Shows what a hive logged, to stdout as it is; with `--json` an object a line. */
async function showLogs(context: Context, hive: string, { follow, lines }: Options): Promise<void> {
  const { client, url } = context.connect();
  const { signal, terminal, json } = context;
  const { body } = await client.raw.hiveLogs({
    params: { id: hive },
    query: { lines, ...(follow === true ? { follow: "true" as const } : {}) },
    signal,
    timeoutMs: 30_000,
  });
  if (body === null) return;
  try {
    for await (const line of linesOf(body)) terminal.out(json ? JSON.stringify({ hive, line }) : line);
  } catch (cause) {
    signal.throwIfAborted();
    throw new RbeeError("queen_unreachable", `The connection to the queen at ${url} broke.`, {
      suggestion: "Run it again to go on watching.",
      cause,
    });
  }
  signal.throwIfAborted();
  // The queen ends such a stream only when she, or the way to the machine, does.
  if (follow === true) throw new RbeeError("hive_unreachable", `The log of ${hive} ended.`);
}

const logOptions = (command: Command) =>
  command
    .option("-f, --follow", "go on with what is logged from now on; Ctrl-C ends it")
    .option("-n, --lines <number>", "how many of the last lines", wholeNumber(1, 5_000), 200);

/** `rbee hive logs`. */
export function hiveLogs(parent: Command): void {
  const command = verb(parent, "logs <hive>", {
    summary: "show what a hive logged, also when it does not run",
    examples: ["rbee hive logs gaming-pc", "rbee hive logs gaming-pc --follow"],
  });
  logOptions(command).action((hive: string, options: Options) =>
    perform(options, (context) => showLogs(context, hive, options)),
  );
}

/** `rbee logs`. */
export function logs(parent: Command): void {
  const command = verb(parent, "logs", {
    summary: "show what a hive logged",
    examples: ["rbee logs --node gaming-pc --follow"],
  }).requiredOption("--node <hive>", "which hive");
  logOptions(command).action((options: Options & { node: string }) =>
    perform(options, (context) => showLogs(context, options.node, options)),
  );
}
