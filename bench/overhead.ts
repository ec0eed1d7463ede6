import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startHousehold } from "../tests/support/household.ts";
import { freePort } from "../tests/support/process.ts";
import { LoadClient, runLoad, type ChatSample } from "./load.ts";
import { median, percentile } from "./statistics.ts";

export interface WayResult {
  readonly ttftMedianMs: number;
  readonly ttftP99Ms: number;
  readonly tokensPerSecond: number;
}

/**
 * The worker's own socket; two more processes in between that only copy bytes, as a floor for anything with two hops;
 * queen and hive.
 */
const ways = ["direct", "bareHops", "through"] as const;
type Way = (typeof ways)[number];

export interface OverheadResult extends Readonly<Record<Way, WayResult>> {
  readonly streams: number;
  readonly rounds: number;
}

/** Two processes in a row before the worker's socket. */
async function startBareHops(socketPath: string): Promise<{ origin: string; stop: () => void }> {
  const hops: ChildProcess[] = [];
  let target = socketPath;
  for (let count = 0; count < 2; count += 1) {
    const port = String(await freePort());
    const hop = fork(join(import.meta.dirname, "hop.ts"), [port, target], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    hops.push(hop);
    await once(hop, "message");
    target = port;
  }
  return { origin: `http://127.0.0.1:${target}`, stop: () => void hops.map((hop) => hop.kill()) };
}

function findSocket(home: string): string {
  const found = (readdirSync(home, { recursive: true }) as string[]).find((file) => file.endsWith(".sock"));
  if (found === undefined) throw new Error(`no worker socket under ${home}`);
  return join(home, found);
}

/**
 * What queen and hive add over talking to the worker's own socket: the same worker, the same client, the same chats, all
 * ways in turn, so that drifts of the machine hit them alike. The first two rounds are not counted: by then every program
 * on the way has compiled what it runs often.
 */
export async function benchOverhead({ streams = 32, rounds = 4 } = {}): Promise<OverheadResult> {
  const household = await startHousehold({ env: { RBEE_WORKER_SLOTS: String(streams), RBEE_LOG_LEVEL: "error" } });
  const stops: (() => void)[] = [];
  try {
    await household.readyHive();
    const key = await household.key();
    const warmUp = { model: "bee-tiny", messages: [{ role: "user" as const, content: "Hello" }] };
    await household.admin.chat({ body: warmUp, timeoutMs: 60_000 });
    const socketPath = findSocket(join(household.home, "hive"));
    const hops = await startBareHops(socketPath);
    stops.push(hops.stop);
    const path = "/v1/chat/completions";
    const clients: Record<Way, LoadClient> = {
      direct: new LoadClient({ name: "worker", origin: "http://worker", path, socketPath }, streams),
      bareHops: new LoadClient({ name: "bare hops", origin: hops.origin, path }, streams),
      through: new LoadClient(
        { name: "queen", origin: household.url, path, headers: { authorization: `Bearer ${key}` } },
        streams,
      ),
    };
    const bodies = Array.from({ length: Math.max(100, streams * 4) }, (_, n) => ({
      ...warmUp,
      messages: [{ role: "user", content: `Tell me story number ${n} about a bee` }],
      temperature: 0,
      max_tokens: 32 + ((n * 13) % 64),
      logit_bias: { "0": -100, "2": -100 },
    }));
    const samples: Record<Way, ChatSample[]> = { direct: [], bareHops: [], through: [] };
    const rates: Record<Way, number[]> = { direct: [], bareHops: [], through: [] };
    for (let round = -2; round < rounds; round += 1) {
      for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
        const result = await runLoad(clients[way], bodies, streams);
        if (round < 0) continue;
        // Requests that begin together measure the queues of two cores, not the way.
        samples[way].push(...result.samples.filter(({ together }) => streams === 1 || !together));
        rates[way].push(result.tokensPerSecond);
      }
    }
    await Promise.all(Object.values(clients).map((client) => client.close()));
    const summary = (way: Way): WayResult => {
      const times = samples[way].map(({ ttftMs }) => ttftMs);
      return { ttftMedianMs: median(times), ttftP99Ms: percentile(times, 0.99), tokensPerSecond: median(rates[way]) };
    };
    return {
      streams,
      rounds,
      direct: summary("direct"),
      bareHops: summary("bareHops"),
      through: summary("through"),
    };
  } finally {
    for (const stop of stops) stop();
    await household.stop();
  }
}
