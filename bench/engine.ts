import { cpuSeconds } from "./machine.ts";
import { LoadClient, runLoad } from "./load.ts";
import { promptMaker } from "./prompts.ts";
import { startLlamaServer, startWorker, type Server } from "./servers.ts";
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

/** Only Linux tells what another process has used. */
const cpuSoFar = (server: Server | undefined): number =>
  server === undefined || process.platform !== "linux" ? Number.NaN : cpuSeconds(server.pid);

/** tokens/s and time to first token of the worker and of llama-server, interleaved round by round. */
export async function benchEngine(options: EngineOptions): Promise<EngineRow[]> {
  const slots = Math.max(...options.streams);
  const { modelPath, threads } = options;
  const server = {
    modelPath,
    threads,
    slots,
    contextLength: 2 ** Math.ceil(Math.log2(200 + Math.max(...options.promptTokens))),
  };
  const servers: Server[] = [await startWorker(server)];
  if (options.llamaServer !== undefined) servers.push(await startLlamaServer(options.llamaServer, server));
  const clients = servers.map(({ target }) => new LoadClient(target, slots, { keepAlive: false }));
  try {
    const prompt = await promptMaker(servers[0]?.target);
    const rows: EngineRow[] = [];
    for (const promptTokens of options.promptTokens) {
      for (const streams of options.streams) {
        const measured = servers.map(() => ({
          rates: [] as number[],
          ttfts: [] as number[],
          cpu: [] as number[],
        }));
        // Long prompts take their time, and by then everything on the way is warm.
        const first = promptTokens < 500 ? 0 : 1;
        for (let round = first; round <= options.rounds; round += 1) {
          const bodies = Array.from({ length: Math.max(2, streams) }, () => ({
            model: "bench",
            messages: [{ role: "user", content: prompt(promptTokens) }],
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
