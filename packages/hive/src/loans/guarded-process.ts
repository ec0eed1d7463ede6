import { spawn, type ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";

/** How a process ended, in words: `exit code 3`, `signal SIGKILL`. */
export type EndReason = string;

export interface GuardedProcessOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly onOutput: (chunk: Buffer) => void;
  /** Called exactly once. */
  readonly onEnd: (reason: EndReason) => void;
}

/**
 * Tells the program's process number on descriptor 3 and ends the program as soon as descriptor 4 closes, which the
 * kernel does when the hive dies, however it dies. Its own exit is the program's.
 */
const guard = `
"$@" </dev/null 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
{ read -r _ <&4; kill -9 "$child"; } 2>/dev/null &
watcher=$!
exec 4<&-
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

/** A program that knows nothing of hives and still does not outlive this one. It runs in a process group of its own. */
export class GuardedProcess {
  readonly #child: ChildProcess;
  #pid: number | null = null;
  #ended = false;

  constructor({ command, env, onOutput, onEnd }: GuardedProcessOptions) {
    const child = spawn("/bin/sh", ["-c", guard, "rbee-guard", ...command], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      env,
      detached: true,
    });
    this.#child = child;
    const end = (reason: EndReason) => {
      if (this.#ended) return;
      this.#ended = true;
      onEnd(reason);
    };
    child.stdout?.on("data", onOutput);
    child.stderr?.on("data", onOutput);
    child.stdio[3]?.on("data", (text: Buffer) => {
      const pid = Number(text.toString("utf8").trim());
      if (Number.isSafeInteger(pid) && pid > 1) this.#pid = pid;
    });
    // Nobody writes there: it is held, so that its end says something.
    (child.stdio[4] as Writable | null)?.on("error", () => {});
    child.on("error", () => {
      if (child.pid === undefined) end("not started");
    });
    child.on("exit", (code, signal) => {
      // Somebody ended the guard: its program must not stay. Otherwise that is gone, and its number may be another's.
      if (signal !== null) this.#signal();
      end(signal === null ? exitReason(code) : `signal ${signal}`);
    });
  }

  /** The program's own number; null until the guard has told it, and after the end. */
  get pid(): number | null {
    return this.#ended ? null : this.#pid;
  }

  kill(): void {
    if (this.#ended) return;
    this.#signal();
    // The end of its pipe makes the guard do the same, also before it has told the number.
    (this.#child.stdio[4] as Writable | null)?.destroy();
  }

  #signal(): void {
    if (this.#pid === null) return;
    try {
      process.kill(this.#pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

/** A shell tells the signal that ended a program as an exit code over 128. */
function exitReason(code: number | null): EndReason {
  if (code === null || code <= 128) return `exit code ${code ?? "unknown"}`;
  return code === 137
    ? "signal SIGKILL"
    : code === 134
      ? "signal SIGABRT"
      : code === 139
        ? "signal SIGSEGV"
        : `exit code ${code}`;
}
