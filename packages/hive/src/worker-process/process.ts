import { spawn, type ChildProcess } from "node:child_process";
import { workerMessageSchema, type WorkerCommand, type WorkerMessage, type WorkerProcessOptions } from "@rbee/contract";
import type { WorkerLogFile } from "./log-file.ts";

/** How a process ended, in words: `exit code 3`, `signal SIGKILL`. */
export type ExitReason = string;

export interface WorkerProcessEvents {
  readonly message: (message: WorkerMessage) => void;
  /** Whether its end is to be told only when all that it said has been read. */
  readonly awaitsLastWords: () => boolean;
  /** Called exactly once. `startError` is set when the process could not even be started. */
  readonly exit: (reason: ExitReason, startError?: Error) => void;
}

/** What a worker has no use for and should not be able to leak. */
const withheld = /^(RBEE_(?!LOG_LEVEL$)|HF_TOKEN$|NODE_OPTIONS$|NODE_CHANNEL)/u;

function workerEnvironment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !withheld.test(name)));
  // With the default pool of four, Node's own threads and the engine's get into each other's way.
  return { ...own, ...extra, UV_THREADPOOL_SIZE: "1" };
}

/** One worker process and the channel to it. It lives in a process group of its own, so that Ctrl-C reaches only us. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  #ended = false;

  constructor(
    command: readonly string[],
    options: WorkerProcessOptions,
    env: Readonly<Record<string, string>>,
    log: WorkerLogFile,
    events: WorkerProcessEvents,
  ) {
    const [program = process.execPath, ...args] = command;
    const child = spawn(program, [...args, "--options", JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: workerEnvironment(env),
      detached: true,
    });
    this.#child = child;
    const end = (reason: ExitReason, startError?: Error) => {
      if (this.#ended) return;
      this.#ended = true;
      events.exit(reason, startError);
    };
    child.stdout?.on("data", (chunk: Buffer) => {
      log.write(chunk);
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      log.write(chunk);
    });
    child.on("message", (value) => {
      const parsed = workerMessageSchema.safeParse(value);
      if (parsed.success) events.message(parsed.data);
      else log.write(`hive: message outside the protocol: ${JSON.stringify(value).slice(0, 500)}\n`);
    });
    child.on("error", (error) => {
      if (child.pid === undefined) end("not started", error);
    });
    child.on("exit", (code, signal) => {
      const reason = signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
      if (!events.awaitsLastWords()) {
        end(reason);
        return;
      }
      // Its last words may still be in the pipes; a process it started may keep them open for ever.
      const limit = setTimeout(() => {
        end(reason);
      }, 200);
      child.once("close", () => {
        clearTimeout(limit);
        end(reason);
      });
    });
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  tell(command: WorkerCommand): void {
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  /** Closes the channel, which ends a worker that still listens to it. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  kill(): void {
    if (!this.#ended) this.#child.kill("SIGKILL");
  }
}
