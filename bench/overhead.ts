import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startHousehold } from "../tests/support/household.ts";
import { LoadClient, runLoad, type ChatSample } from "./load.ts";
import { median, percentile } from "./statistics.ts";

export interface OverheadResult {
  readonly streams: number;
  readonly rounds: number;
  readonly direct: { ttftMedianMs: number; ttftP99Ms: number; tokensPerSecond: number };
  readonly through: { ttftMedianMs: number; ttftP99Ms: number; tokensPerSecond: number };
}

function findSocket(home: string): string {
  const found = (readdirSync(home, { recursive: true }) as string[]).find((file) => file.endsWith(".sock"));
  if (found === undefined) throw new Error(`no worker socket under ${home}`);
  return join(home, found);
}

/**
 * What queen and hive add over talking to the worker's own socket: the same worker, the same chats,
 * both ways in turn, so that drifts of the machine hit both alike.
 */
export async function benchOverhead({ streams = 32, rounds = 4 } = {}): Promise<OverheadResult> {
  const household = await startHousehold({ env: { RBEE_WORKER_SLOTS: String(streams), RBEE_LOG_LEVEL: "error" } });
  try {
    await household.readyHive();
    const key = await household.key();
    const warmUp = { model: "bee-tiny", messages: [{ role: "user" as const, content: "Hello" }] };
    await household.admin.chat({ body: warmUp, timeoutMs: 60_000 });
    const direct = new LoadClient(
      {
        name: "worker",
        origin: "http://worker",
        path: "/v1/chat/completions",
        socketPath: findSocket(join(household.home, "hive")),
      },
      streams,
    );
    const through = new LoadClient(
      {
        name: "queen",
        origin: household.url,
        path: "/v1/chat/completions",
        headers: { authorization: `Bearer ${key}` },
      },
      streams,
    );
    const bodies = Array.from({ length: streams * 4 }, (_, n) => ({
      ...warmUp,
      messages: [{ role: "user", content: `Tell me story number ${n} about a bee` }],
      temperature: 0,
      max_tokens: 32 + ((n * 13) % 64),
      logit_bias: { "0": -100, "2": -100 },
    }));
    const samples: Record<"direct" | "through", ChatSample[]> = { direct: [], through: [] };
    const rates: Record<"direct" | "through", number[]> = { direct: [], through: [] };
    for (let round = -2; round < rounds; round += 1) {
      const order = round % 2 === 0 ? (["direct", "through"] as const) : (["through", "direct"] as const);
      for (const way of order) {
        const result = await runLoad(way === "direct" ? direct : through, bodies, streams);
        if (round < 0) continue;
        // Requests that begin together measure the queues of two cores, not the way.
        samples[way].push(...result.samples.filter(({ together }) => streams === 1 || !together));
        rates[way].push(result.tokensPerSecond);
      }
    }
    await Promise.all([direct.close(), through.close()]);
    const summary = (way: "direct" | "through") => {
      const times = samples[way].map(({ ttftMs }) => ttftMs);
      return { ttftMedianMs: median(times), ttftP99Ms: percentile(times, 0.99), tokensPerSecond: median(rates[way]) };
    };
    return { streams, rounds, direct: summary("direct"), through: summary("through") };
  } finally {
    await household.stop();
  }
}
