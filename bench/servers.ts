import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { temporaryFolder } from "../tests/support/folder.ts";
import { freePort, projectRoot } from "../tests/support/process.ts";
import { waitFor } from "../tests/support/wait-for.ts";
import { LoadClient, type Target } from "./load.ts";

/** How a server of one model is started. */
export interface ServerOptions {
  readonly modelPath: string;
  readonly threads: number;
  readonly slots: number;
  /** Tokens per slot. */
  readonly contextLength: number;
}

export interface Server {
  readonly target: Target;
  readonly pid: number;
  stop(): Promise<void>;
}

const ending = (child: ChildProcess) => async () => {
  child.kill("SIGKILL");
  await once(child, "exit");
};

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("a server did not start");
  return pid;
}

/** The worker on its own, without queen and hive. It guesses nothing unless it is told to. */
export async function startWorker(
  { modelPath, threads, slots, contextLength }: ServerOptions,
  speculation: "auto" | "always" | "off" = "off",
): Promise<Server> {
  const folder = temporaryFolder("bench-worker");
  const socketPath = join(folder.path, "worker.sock");
  const settings = {
    worker_id: "worker:bench",
    model: "bench",
    model_path: modelPath,
    socket_path: socketPath,
    backend: "cpu",
    device: "cpu",
    slots,
    context_length: contextLength,
    threads,
    speculation,
  };
  const child = spawn(
    process.execPath,
    [join(projectRoot, "packages/worker/bin/rbee-worker.js"), "--options", JSON.stringify(settings)],
    {
      env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
      stdio: "ignore",
    },
  );
  const target = { name: "worker", origin: "http://worker", path: "/v1/chat/completions", socketPath };
  const stop = async () => {
    await ending(child)();
    folder.remove();
  };
  const probe = new LoadClient(target, 1);
  await waitFor(
    "the worker's start",
    () => probe.chat({ model: "bench", messages: [{ role: "user", content: "hi" }], max_tokens: 1 }),
    { limitMs: 60_000 },
  );
  await probe.close();
  return { target, pid: pidOf(child), stop };
}

/** llama.cpp's own server, as fast as it can be set. */
export async function startLlamaServer(
  path: string,
  { modelPath, threads, slots, contextLength }: ServerOptions,
): Promise<Server> {
  const port = await freePort();
  const settings = [
    "-m",
    modelPath,
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "-np",
    String(slots),
    "-c",
    String(slots * contextLength),
    "-t",
    String(threads),
    "-tb",
    String(threads),
    // What random weights say is no valid chat format; the parser would refuse it, and costs time.
    "--skip-chat-parsing",
    // Weights in memory of their own, as the worker has them: mapped ones are slower.
    "--no-mmap",
    // Keeping old prompts takes time, and no prompt comes twice where speed is compared.
    "--cache-ram",
    "0",
  ];
  const child = spawn(path, settings, { stdio: "ignore" });
  const origin = `http://127.0.0.1:${port}`;
  await waitFor("llama-server's start", async () => (await fetch(`${origin}/health`)).ok, { limitMs: 60_000 });
  const target = { name: "llama-server", origin, path: "/v1/chat/completions" };
  return { target, pid: pidOf(child), stop: ending(child) };
}
