import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { ExponentialBackoff, noJitterGenerator, type IBackoff } from "cockatiel";
import { frugalEnvironment } from "@rbee/bundle";
import { localHiveMessageSchema, RbeeError } from "@rbee/contract";
import type { Logger } from "pino";
import type { LocalWorkersService } from "./local-workers.ts";

/** A hive that ran this long was well: the next crash starts at the shortest wait again. */
const steadyAfterMs = 60_000;
const endsWithinMs = 8_000;
const stderrKept = 2_000;
const backoff = new ExponentialBackoff({ initialDelay: 1_000, maxDelay: 16_000, generator: noJitterGenerator });

/** Settings of the queen that a hive has no business with. */
const withheld = new Set(["RBEE_ADMIN_NAME", "RBEE_ADMIN_PASSWORD", "RBEE_JOIN_TOKEN"]);

export interface LocalHiveOptions {
  /** Program and first arguments of the hive. */
  command: readonly [string, ...string[]];
  home: string;
  /** Address it listens on. */
  host: string;
  port: number;
  log: Logger;
  /** Hear where its workers answer. */
  workers: Pick<LocalWorkersService, "hear" | "hiveEnded">;
  onListening: (port: number) => void;
  /** Null when the hive is well again. */
  onProblem: (problem: RbeeError | null) => void;
}

/** The hive of the queen's own machine: a child process that is started again when it dies. */
export interface LocalHive {
  start(queenUrl: string): void;
  /** Ends the hive and everything it started; resolves when its process is gone. */
  stop(): Promise<void>;
}

/** The line of a dead program's error output that says why: the error's own, else the last that Node did not add. */
export function lastWords(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^(?:at |Node\.js v|[{}^\s]*$)/u.test(line));
  return lines.findLast((line) => /^(?:\w*Error\b|rbee-hive: )/u.test(line)) ?? lines.at(-1) ?? "";
}

export function createLocalHive({
  command,
  home,
  host,
  port,
  log,
  workers,
  onListening,
  onProblem,
}: LocalHiveOptions): LocalHive {
  let child: ChildProcess | undefined;
  let restart: NodeJS.Timeout | undefined;
  let wait: IBackoff<unknown> | undefined;
  let stopping = false;

  const environment = (queenUrl: string): NodeJS.ProcessEnv => ({
    ...frugalEnvironment,
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !withheld.has(name))),
    RBEE_HIVE_PARENT: "ipc",
    RBEE_HIVE_HOME: home,
    RBEE_HIVE_HOST: host,
    RBEE_HIVE_PORT: String(port),
    RBEE_QUEEN_URL: queenUrl,
  });

  const run = (queenUrl: string) => {
    const [program, ...args] = command;
    const startedAt = performance.now();
    let stderr = "";
    let ended = false;
    // A group of its own: Ctrl-C in the queen's terminal must not reach it before the queen ends it in order.
    const hive = spawn(program, args, {
      detached: true,
      env: environment(queenUrl),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child = hive;
    hive.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-stderrKept);
    });
    hive.on("message", (said) => {
      const message = localHiveMessageSchema.safeParse(said).data;
      if (message === undefined || ended) return;
      if (message.type !== "listening") {
        workers.hear(message);
        return;
      }
      log.info({ pid: hive.pid, port: message.port }, "local hive listens");
      onProblem(null);
      onListening(message.port);
    });
    const onEnd = (reason: string) => {
      if (ended) return;
      ended = true;
      child = undefined;
      workers.hiveEnded();
      if (stopping) return;
      if (performance.now() - startedAt > steadyAfterMs) wait = undefined;
      wait = wait === undefined ? backoff.next() : wait.next(undefined);
      const why = lastWords(stderr);
      log.error({ reason, stderr: stderr.trim(), restart_in_ms: wait.duration }, "local hive ended");
      onProblem(
        new RbeeError(
          "hive_unreachable",
          `The hive on this machine ended (${reason})${why === "" ? "." : `: ${why}`}`,
          {
            suggestion: `It is started again in ${wait.duration / 1000} s; the queen's log has more.`,
          },
        ),
      );
      restart = setTimeout(() => {
        run(queenUrl);
      }, wait.duration);
    };
    hive.on("error", (error) => {
      onEnd(error.message);
    });
    hive.on("exit", (code, signal) => {
      onEnd(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
    });
  };

  return {
    start(queenUrl) {
      run(queenUrl);
    },
    async stop() {
      stopping = true;
      clearTimeout(restart);
      const hive = child;
      if (hive?.pid === undefined || hive.exitCode !== null || hive.signalCode !== null) return;
      const gone = once(hive, "exit");
      const { pid } = hive;
      const kill = setTimeout(() => {
        log.warn({ pid }, "local hive did not end in time and is killed");
        try {
          process.kill(-pid, "SIGKILL");
        } catch {
          hive.kill("SIGKILL");
        }
      }, endsWithinMs);
      hive.kill("SIGTERM");
      if (hive.connected) hive.disconnect();
      await gone;
      clearTimeout(kill);
    },
  };
}
