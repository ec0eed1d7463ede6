import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { hiveClient, type HiveClient } from "@rbee/contract";
import { onTestFinished } from "vitest";
import { processStartedAt } from "../hardware/processes.ts";
import { eventually } from "./eventually.ts";
import { temporaryFolder } from "./fixture.ts";

const program = fileURLToPath(new URL("../main.ts", import.meta.url));
const withSimpleWorkers = fileURLToPath(new URL("./hive-with-simple-workers.ts", import.meta.url));

export interface HiveProcess {
  readonly child: ChildProcess;
  readonly home: string;
  /** Everything it has written to stdout and stderr. */
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** A client with the hive's own token, once it listens. */
  client(): Promise<HiveClient>;
}

export interface HiveProcessOptions {
  home?: string;
  args?: readonly string[];
  env?: Record<string, string>;
  /** Stand-in workers that live like this, instead of real ones. */
  simpleWorkers?: string;
  /** As the queen starts its local hive. */
  parent?: boolean;
}

/** A hive as a real process on a free port; it is ended after the test. */
export function hiveProcess(options: HiveProcessOptions = {}): HiveProcess {
  const home = options.home ?? temporaryFolder();
  const { simpleWorkers, parent = false } = options;
  const command = simpleWorkers === undefined ? [program, ...(options.args ?? [])] : [withSimpleWorkers, simpleWorkers];
  const child = spawn(process.execPath, command, {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      RBEE_HIVE_HOME: home,
      RBEE_HIVE_PORT: "0",
      RBEE_HIVE_HOST: "127.0.0.1",
      RBEE_MDNS: "false",
      RBEE_EXTERNAL_SERVERS: "off",
      ...(parent ? { RBEE_HIVE_PARENT: "ipc" } : {}),
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe", ...(parent ? (["ipc"] as const) : [])],
  });
  let output = "";
  let port: number | undefined;
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  child.on("message", (message) => {
    port = (message as { port: number }).port;
  });
  // `close` does not come after a `disconnect` from this side, so that each of its parts is awaited.
  const streams = [child.stdout, child.stderr].map((stream) => (stream === null ? undefined : finished(stream)));
  const ended = once(child, "exit").then(async ([code, signal]: (number | string | null)[]) => {
    await Promise.all(streams);
    return code ?? signal ?? "unknown";
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const client = async () => {
    const found = await eventually(
      "the hive listens",
      () => port ?? (/ port (\d+)\.$/mu.exec(output)?.[1] as number | undefined),
      20_000,
    );
    const { hive_token } = JSON.parse(readFileSync(join(home, "hive.json"), "utf8")) as { hive_token: string };
    return hiveClient({ baseUrl: `http://127.0.0.1:${found}`, token: hive_token, timeoutMs: 30_000 });
  };
  return { child, home, output: () => output, ended, client };
}

/** Starts a worker of the demo model and waits until it is ready; gives its id and process number. */
export async function readyWorker(client: HiveClient): Promise<{ id: string; pid: number }> {
  const { worker_id } = await client.spawnWorker({ body: { model: "bee-tiny" } });
  const worker = await client.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
  if (worker.state !== "ready" || worker.pid === null)
    throw new Error(`It is ${worker.state}: ${worker.error?.message ?? ""}`);
  return { id: worker_id, pid: worker.pid };
}

export const alive = (pid: number): boolean => processStartedAt(pid) !== null;
