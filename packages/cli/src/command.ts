import type { Command } from "commander";
import { findQueen, requireQueen, type Connection } from "./connection/connect.ts";
import { Interruption, showFailure } from "./failure.ts";
import { createTerminal, type Terminal } from "./terminal/terminal.ts";

/** What every verb gets. */
export interface Context {
  readonly terminal: Terminal;
  readonly env: NodeJS.ProcessEnv;
  readonly json: boolean;
  /** One calm line for people: who, and what happened. Nothing with `--json`. */
  narrate(actor: string, message: string): void;
  /** Aborted when somebody interrupts the command. */
  readonly signal: AbortSignal;
  /** The queen, throwing `queen_unreachable` when there is none. */
  connect(): Connection;
  /** The queen, if one can be found. */
  find(): Connection | undefined;
  /** The answer of a command: JSON with `--json`, else what `text` gives; nothing is written for empty text. */
  answer(value: unknown, text: () => string): void;
}

/** The options that every verb has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly queen?: string;
}

interface VerbText {
  readonly summary: string;
  /** Command lines, shown in its help. */
  readonly examples: readonly [string, ...string[]];
  /** False for verbs that need no queen. */
  readonly queen?: false;
}

/** Adds a verb to a noun (or to `rbee` itself): its summary, `--json`, `--queen` and the examples in its help. */
export function verb(parent: Command, usage: string, text: VerbText): Command {
  const command = parent.command(usage).description(text.summary).option("--json", "answer in JSON");
  if (text.queen !== false) command.option("--queen <url>", "the queen to talk to");
  return command.addHelpText(
    "after",
    `\nExample${text.examples.length > 1 ? "s" : ""}:\n${text.examples.map((line) => `  $ ${line}`).join("\n")}\n`,
  );
}

/**
 * Runs a verb's work: interruptions abort it, and whatever it throws is shown and becomes the exit code. It never
 * throws.
 */
export async function perform(options: CommonOptions, work: (context: Context) => Promise<void> | void): Promise<void> {
  const terminal = createTerminal(process);
  const controller = new AbortController();
  const json = options.json === true;
  let interruptedAt: number | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    // A terminal's Ctrl-C may arrive twice at once (from the terminal and from npx); a later one is impatience.
    if (interruptedAt !== undefined && performance.now() - interruptedAt > 500) process.exit(130);
    interruptedAt ??= performance.now();
    controller.abort(new Interruption(signal === "SIGTERM" ? "SIGTERM" : "SIGINT"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await work({
      terminal,
      env: process.env,
      json,
      signal: controller.signal,
      narrate: (actor, message) => {
        if (!json) terminal.narrate(actor, message);
      },
      connect: () => requireQueen(options.queen, process.env),
      find: () => findQueen(options.queen, process.env),
      answer: (value, text) => {
        const shown = json ? JSON.stringify(value, null, 2) : text();
        if (shown !== "") terminal.out(shown);
      },
    });
  } catch (error) {
    // What an interruption broke is of no interest.
    const shown: unknown = controller.signal.aborted ? controller.signal.reason : error;
    process.exitCode = showFailure(shown, terminal, json);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
