import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { temporaryFolder } from "../tests/support/folder.ts";
import { freePort, projectRoot } from "../tests/support/process.ts";
import { waitFor } from "../tests/support/wait-for.ts";
import { LoadClient, runLoad, type Target } from "./load.ts";
import { cpuSeconds } from "./machine.ts";
import { median } from "./statistics.ts";

export interface EngineOptions {
  modelPath: string;
  /** Path of llama.cpp's server; without it only the worker is measured. */
  llamaServer?: string;
  threads: number;
  streams: readonly number[];
  promptTokens: readonly number[];
  rounds: number;
  answerTokens: number;
}

export interface EngineRow {
  readonly promptTokens: number;
  readonly streams: number;
  readonly worker: EngineFigures;
  readonly llamaServer: EngineFigures | null;
}

export interface EngineFigures {
  readonly tokensPerSecond: number;
  readonly ttftMs: number;
  /** Processor time of the server's process for each token of an answer, its prompt included; null where unknown. */
  readonly cpuMsPerToken: number | null;
}

interface Server {
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

async function startWorker(options: EngineOptions, slots: number, contextLength: number): Promise<Server> {
  const folder = temporaryFolder("bench-worker");
  const socketPath = join(folder.path, "worker.sock");
  const settings = {
    worker_id: "worker:bench",
    model: "bench",
    model_path: options.modelPath,
    socket_path: socketPath,
    backend: "cpu",
    device: "cpu",
    slots,
    context_length: contextLength,
    threads: options.threads,
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

async function startLlamaServer(
  path: string,
  options: EngineOptions,
  slots: number,
  contextLength: number,
): Promise<Server> {
  const port = await freePort();
  const settings = [
    "-m",
    options.modelPath,
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "-np",
    String(slots),
    "-c",
    String(slots * contextLength),
    "-t",
    String(options.threads),
    "-tb",
    String(options.threads),
    // What random weights say is no valid chat format; the parser would refuse it, and costs time.
    "--skip-chat-parsing",
  ];
  const child = spawn(path, settings, { stdio: "ignore" });
  const origin = `http://127.0.0.1:${port}`;
  await waitFor("llama-server's start", async () => (await fetch(`${origin}/health`)).ok, { limitMs: 60_000 });
  const target = { name: "llama-server", origin, path: "/v1/chat/completions" };
  return { target, pid: pidOf(child), stop: ending(child) };
}

const words =
  "the river carries small warm stones past every quiet house while morning light moves over green hills and people walk home".split(
    " ",
  );

/** Prompts that share no prefix, so that no server can answer from its cache: each begins with a number of its own. */
function prompt(tokens: number, salt: number): string {
  return `${salt * 7919} ${Array.from({ length: tokens }, (_, n) => words[(n * 7 + salt * (n + 3)) % words.length]).join(" ")}`;
}

/** Only Linux tells what another process has used. */
const cpuSoFar = (server: Server | undefined): number =>
  server === undefined || process.platform !== "linux" ? Number.NaN : cpuSeconds(server.pid);

/** tokens/s and time to first token of the worker and of llama-server, interleaved round by round. */
export async function benchEngine(options: EngineOptions): Promise<EngineRow[]> {
  const slots = Math.max(...options.streams);
  const contextLength = 2048;
  const servers: Server[] = [await startWorker(options, slots, contextLength)];
  if (options.llamaServer !== undefined)
    servers.push(await startLlamaServer(options.llamaServer, options, slots, contextLength));
  const clients = servers.map(({ target }) => new LoadClient(target, slots, { keepAlive: false }));
  let salt = 0;
  try {
    const rows: EngineRow[] = [];
    for (const promptTokens of options.promptTokens) {
      for (const streams of options.streams) {
        const measured = servers.map(() => ({
          rates: [] as number[],
          ttfts: [] as number[],
          cpu: [] as number[],
        }));
        for (let round = 0; round <= options.rounds; round += 1) {
          const bodies = Array.from({ length: Math.max(2, streams) }, () => ({
            model: "bench",
            messages: [{ role: "user", content: prompt(promptTokens, (salt += 1)) }],
            temperature: 0,
            max_tokens: options.answerTokens,
          }));
          const turns = [...clients.entries()];
          for (const [n, client] of round % 2 === 0 ? turns : turns.toReversed()) {
            const cpuBefore = cpuSoFar(servers[n]);
            const { tokensPerSecond, samples } = await runLoad(client, bodies, streams);
            if (round === 0) continue;
            const cpuMs = 1000 * (cpuSoFar(servers[n]) - cpuBefore);
            measured[n]?.cpu.push(cpuMs / samples.reduce((sum, { tokens }) => sum + tokens, 0));
            measured[n]?.rates.push(tokensPerSecond);
            measured[n]?.ttfts.push(...samples.map(({ ttftMs }) => ttftMs));
          }
        }
        const [worker, llamaServer] = measured.map(({ rates, ttfts, cpu }) => ({
          tokensPerSecond: median(rates),
          ttftMs: median(ttfts),
          cpuMsPerToken: cpu.every(Number.isFinite) ? median(cpu) : null,
        }));
        if (worker !== undefined) rows.push({ promptTokens, streams, worker, llamaServer: llamaServer ?? null });
      }
    }
    return rows;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(servers.map((server) => server.stop()));
  }
}
