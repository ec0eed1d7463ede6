import { LoadClient, type ChatBody } from "./load.ts";
import { promptMaker } from "./prompts.ts";
import { startWorker } from "./servers.ts";
import { median } from "./statistics.ts";

export interface SpeculationRow {
  readonly mode: "off" | "auto" | "always";
  readonly tokensPerSecond: number;
  /** Share of the answer's tokens that were guessed right. */
  readonly guessedShare: number;
}

const modes = ["off", "auto", "always"] as const;
const answerTokens = 128;

/**
 * One answer at a time of a model with random weights, which soon repeats itself: what guessing brings at best on this
 * machine, not what it brings to a story.
 */
export async function benchSpeculation(options: {
  readonly modelPath: string;
  readonly threads: number;
  readonly rounds: number;
}): Promise<SpeculationRow[]> {
  const { modelPath, threads, rounds } = options;
  const server = { modelPath, threads, slots: 1, contextLength: 512 };
  const workers = await Promise.all(modes.map((mode) => startWorker(server, mode)));
  const clients = workers.map(({ target }) => new LoadClient(target, 1));
  const rates = modes.map((): number[] => []);
  const shares = modes.map((): number[] => []);
  try {
    const prompt = await promptMaker(workers[0]?.target);
    for (let round = 0; round <= rounds; round += 1) {
      const body: ChatBody = {
        model: "bench",
        messages: [{ role: "user", content: prompt(20) }],
        temperature: 0,
        max_tokens: answerTokens,
      };
      for (const [n, client] of clients.entries()) {
        const { tokens, totalMs, ttftMs, guessedTokens } = await client.chat(body);
        if (round === 0) continue;
        rates[n]?.push((1000 * (tokens - 1)) / (totalMs - ttftMs));
        shares[n]?.push(guessedTokens / tokens);
      }
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(workers.map((worker) => worker.stop()));
  }
  return modes.map((mode, n) => ({
    mode,
    tokensPerSecond: median(rates[n] ?? []),
    guessedShare: median(shares[n] ?? []),
  }));
}
