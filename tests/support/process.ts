import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

export const projectRoot = fileURLToPath(new URL("../../", import.meta.url));

/** Environment of a process under test that lives ten times as fast: see fast-clock.js. */
export const tenTimesAsFast = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL("fast-clock.js", import.meta.url))}`,
} as const;

/** A real process under test, with everything it wrote. */
export interface TestProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** stdout and stderr so far, in the order they arrived. */
  output(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  /** Sends a signal and waits for the end; SIGKILL after `graceMs`. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<number | string>;
}

/** No test's hive looks for servers that happen to run on the machine of the tests. */
const quiet = { RBEE_EXTERNAL_SERVERS: "off" };

/**
 * Starts a program with the Node that runs the tests; its environment is only what is given, plus PATH and HOME.
 * @param through a command that becomes the program in the end, as `ip netns exec NAME` does
 */
export function startProcess(
  args: readonly string[],
  env: Record<string, string>,
  through: readonly string[] = [],
): TestProcess {
  const [program = process.execPath, ...rest] = [...through, process.execPath, ...args];
  const child = spawn(program, rest, {
    cwd: projectRoot,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...quiet, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const keep = (chunk: Buffer) => {
    output += chunk.toString("utf8");
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = once(child, "close").then(([code, signal]) => (code as number | null) ?? (signal as string));
  return {
    child,
    get pid() {
      if (child.pid === undefined) throw new Error(`could not start ${args.join(" ")}`);
      return child.pid;
    },
    output: () => output,
    exited,
    async stop(signal = "SIGTERM", graceMs = 10_000) {
      if (child.exitCode !== null || child.signalCode !== null) return exited;
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      const result = await exited;
      clearTimeout(timer);
      return result;
    },
  };
}

/** Whether a process with this pid exists (a zombie counts as gone). */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}

/** A TCP port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
