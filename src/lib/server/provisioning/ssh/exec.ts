import { once } from "node:events";
import { RbeeError } from "@rbee/contract";
import type { ClientChannel } from "ssh2";
import type { SshConnection } from "./connection.ts";
import { commandFailed, commandTimeout, hostLabel } from "./errors.ts";
import { lastLines, OutputReader } from "./output.ts";
import { commandLine, startShell, stopLine, type RemoteCommand, type RemoteScript } from "./remote-shell.ts";

export interface ExecOptions extends Omit<RemoteScript, "command" | "feeds"> {
  /** The command's name for people, as in `"clone" failed …`; its first word by default. */
  readonly name?: string | undefined;
  /** Ends the remote process group and makes `exec` throw the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Called for every line, without its end. */
  readonly onStdout?: ((line: string) => void) | undefined;
  readonly onStderr?: ((line: string) => void) | undefined;
  /** Gives a non-zero exit back instead of throwing it. */
  readonly allowFailure?: boolean | undefined;
  /** How long the account's login shell may take before the command begins, 15 s by default. */
  readonly startLimitMs?: number | undefined;
  /**
   * What the command reads, of any length. Such a command has no process group of its own: it is ended by the end of
   * its input, so it must be one that reads to the end.
   */
  readonly feed?: AsyncIterable<Uint8Array> | undefined;
  /** Called when bytes of `feed` have been sent. */
  readonly onFed?: ((bytes: number) => void) | undefined;
}

export interface ExecResult {
  readonly exitCode: number | null;
  /** The signal that ended the command, without `SIG`. */
  readonly signal: string | null;
  /** The last MB of stdout. */
  readonly stdout: string;
  /** The last 64 KB of stderr. */
  readonly stderr: string;
}

const mostStdout = 1_048_576;
const mostStderr = 65_536;
const defaultStartLimitMs = 15_000;
/** TERM and KILL each get two seconds over there; more than that only passes when the link is down. */
const stopLimitMs = 8_000;
/** What the command left behind in the background may hold its output open: it is not waited for. */
const lingerMs = 500;
const errorLines = 20;

/**
 * Runs a command under `/bin/sh` on the host, whatever the account's own shell is, and waits for its end. It runs in
 * a process group of its own that is ended when the signal aborts, the time is up or the connection is lost.
 * @throws RbeeError `ssh_command_failed` (details `{step, exit_code, signal, last_lines}`), `ssh_timeout`,
 *   `ssh_connection_lost`; the signal's reason once the remote group has ended
 */
export async function exec(
  connection: SshConnection,
  command: RemoteCommand,
  options: ExecOptions = {},
): Promise<ExecResult> {
  const name = options.name ?? nameOf(command);
  const feeds = options.feed !== undefined;
  const start = startShell({ command, cwd: options.cwd, env: options.env, stdin: options.stdin, feeds });
  const result = await connection.withChannel(
    start.commandLine,
    async (channel) => new RunningCommand(connection, channel, name, start.marker, options).result(start.input),
    options.signal,
  );
  if (result.exitCode === 0 || options.allowFailure === true) return result;
  const said = lastLines(result.stderr, errorLines);
  throw commandFailed(connection.target, name, {
    ...result,
    lastLines: said.length > 0 ? said : lastLines(result.stdout, errorLines),
  });
}

function nameOf(command: RemoteCommand): string {
  return (typeof command === "string" ? commandLine(command).trim().split(/\s+/)[0] : command[0]) ?? "command";
}

class RunningCommand {
  readonly #connection: SshConnection;
  readonly #channel: ClientChannel;
  readonly #name: string;
  readonly #options: ExecOptions;
  readonly #stdout: OutputReader;
  readonly #stderr: OutputReader;
  readonly #settled = Promise.withResolvers<ExecResult>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #exit: Pick<ExecResult, "exitCode" | "signal"> | null = null;
  /** Makes the error to end with, once the remote group is gone or could not be reached any more. */
  #stopping: ((stopped: boolean) => unknown) | null = null;

  constructor(connection: SshConnection, channel: ClientChannel, name: string, marker: string, options: ExecOptions) {
    this.#connection = connection;
    this.#channel = channel;
    this.#name = name;
    this.#options = options;
    this.#stdout = new OutputReader(marker, mostStdout, options.onStdout);
    this.#stderr = new OutputReader(marker, mostStderr, options.onStderr);
  }

  async result(input: string): Promise<ExecResult> {
    const { signal, timeoutMs, startLimitMs = defaultStartLimitMs, feed } = this.#options;
    const onAbort = () => this.#stop(() => signal?.reason);
    const channel = this.#channel;
    channel.on("error", () => {}).stderr.on("error", () => {});
    channel.on("data", (chunk: Buffer) => this.#guarded(() => this.#stdout.push(chunk)));
    channel.stderr.on("data", (chunk: Buffer) => this.#guarded(() => this.#stderr.push(chunk)));
    channel.once("exit", (code: number | null, signalName?: string) => {
      this.#exit = { exitCode: code, signal: signalName?.replace(/^SIG/, "") ?? signalOf(code) };
      this.#after(lingerMs, () => this.#finish());
    });
    channel.once("close", () => this.#finish());
    channel.write(input);
    const over = new AbortController();
    if (feed !== undefined) void this.#feed(feed, over.signal);
    this.#after(startLimitMs, () => {
      if (!this.#stdout.begun) this.#giveUp(this.#neverBegan("did not begin"));
    });
    const { target } = this.#connection;
    if (timeoutMs !== undefined)
      this.#after(timeoutMs, () => this.#stop((stopped) => commandTimeout(target, this.#name, timeoutMs, stopped)));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    try {
      return await this.#settled.promise;
    } finally {
      over.abort();
      signal?.removeEventListener("abort", onAbort);
      for (const timer of this.#timers) clearTimeout(timer);
      channel.close();
    }
  }

  #finish(): void {
    this.#guarded(() => {
      this.#stdout.end();
      this.#stderr.end();
    });
    if (this.#stopping !== null) this.#settled.reject(this.#stopping(this.#exit !== null));
    else if (this.#exit === null) this.#settled.reject(this.#connection.lost(`while "${this.#name}" ran`));
    else if (!this.#stdout.begun) this.#settled.reject(this.#neverBegan("ended before the command began"));
    else this.#settled.resolve({ ...this.#exit, stdout: this.#stdout.text, stderr: this.#stderr.text });
  }

  #stop(error: (stopped: boolean) => unknown): void {
    if (this.#stopping !== null) return;
    this.#stopping = error;
    if (this.#options.feed === undefined) this.#channel.write(stopLine);
    else this.#channel.end();
    this.#after(stopLimitMs, () => this.#giveUp(error(false)));
  }

  /** Writes as fast as the host reads, until the command ends or is stopped. */
  async #feed(feed: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
    const channel = this.#channel;
    try {
      for await (const bytes of feed) {
        if (over.aborted || this.#stopping !== null) return;
        const full = !channel.write(bytes, () => this.#guarded(() => this.#options.onFed?.(bytes.length)));
        if (full) await once(channel, "drain", { signal: over });
      }
      channel.end();
    } catch (error) {
      if (!over.aborted) this.#stop(() => error);
    }
  }

  #giveUp(error: unknown): void {
    this.#settled.reject(error);
  }

  /** A listener that throws ends the command, rather than the queen. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#stop(() => error);
    }
  }

  #neverBegan(how: string): RbeeError {
    const said = lastLines(`${this.#stdout.noise}\n${this.#stderr.noise}`, errorLines);
    const last = said.at(-1);
    return new RbeeError(
      "ssh_command_failed",
      `The login shell of ${hostLabel(this.#connection.target)} ${how}${last === undefined ? "" : `: ${last}`}`,
      {
        details: {
          host: this.#connection.target.name,
          step: this.#name,
          exit_code: this.#exit?.exitCode ?? null,
          signal: this.#exit?.signal ?? null,
          last_lines: said,
        },
        suggestion:
          "Check that the account may run commands, and that its shell's start-up files do not wait for input.",
      },
    );
  }

  #after(ms: number, work: () => void): void {
    this.#timers.add(setTimeout(work, ms));
  }
}

/** The signals that end programs; a shell reports them as 128 and more. */
const signals = new Map([
  [129, "HUP"],
  [130, "INT"],
  [131, "QUIT"],
  [134, "ABRT"],
  [137, "KILL"],
  [139, "SEGV"],
  [141, "PIPE"],
  [143, "TERM"],
]);

function signalOf(code: number | null): string | null {
  return code === null ? null : (signals.get(code) ?? null);
}
