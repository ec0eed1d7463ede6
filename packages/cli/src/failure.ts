import { RbeeError, type ErrorBody } from "@rbee/contract";
import { SettingsError } from "@rbee/settings";
import { hostKeyLines } from "./ssh/host-key.ts";
import type { Terminal } from "./terminal/terminal.ts";

/** What the command was asked to do makes no sense: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly suggestion: string | undefined;

  constructor(message: string, suggestion?: string) {
    super(message);
    this.suggestion = suggestion;
  }
}

/** Somebody asked the command to end. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly exitCode: 130 | 143;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(signal);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

/** A command that has said everything itself and failed, such as a doctor that found something. `cause` is why. */
export class Failed extends Error {
  override readonly name = "Failed";
}

/** Words of several lines, the later ones beneath the first. */
const indented = (text: string) => text.trimEnd().replaceAll("\n", "\n         ");

interface Rendered {
  readonly exitCode: number;
  readonly body: ErrorBody;
}

function bodyOf(message: string, code: string, suggestion: string | undefined): ErrorBody {
  return {
    error: { message, type: "cli_error", param: null, code, ...(suggestion === undefined ? {} : { suggestion }) },
  };
}

function render(thrown: unknown): Rendered {
  if (thrown instanceof UsageError)
    return { exitCode: 2, body: bodyOf(thrown.message, "wrong_usage", thrown.suggestion) };
  if (thrown instanceof SettingsError)
    return { exitCode: 2, body: bodyOf(thrown.message, "wrong_setting", "`rbee config` lists every setting.") };
  if (thrown instanceof RbeeError) return { exitCode: 1, body: thrown.toBody() };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    exitCode: 1,
    body: bodyOf(`Something went wrong in the command itself: ${message}`, "internal_error", undefined),
  };
}

/**
 * The one place that shows a failure: its message and what to do about it, never a stack; with `--json` the error's
 * JSON on stdout instead.
 * @returns The exit code: 1 the operation failed, 2 wrong usage, 130 or 143 interrupted.
 */
export function showFailure(thrown: unknown, terminal: Terminal, json: boolean): number {
  if (thrown instanceof Interruption) return thrown.exitCode;
  if (thrown instanceof Failed) return 1;
  const { exitCode, body } = render(thrown);
  if (json) terminal.out(JSON.stringify(body));
  else {
    const { message, suggestion } = body.error;
    terminal.error(`${terminal.errorColours.red("error")}    ${indented(message)}`);
    for (const line of hostKeyLines(body.error)) terminal.error(`         ${line}`);
    if (suggestion !== undefined) terminal.error(`         ${indented(suggestion)}`);
  }
  return exitCode;
}
