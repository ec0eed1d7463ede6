import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryFolder } from "../tests/support/folder.ts";
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

export interface OverheadOptions {
  readonly streams: number;
  readonly rounds: number;
  /** A model's file; bee-tiny when left out, which answers so fast that the way is what takes the time. */
  readonly modelPath?: string;
}

export interface OverheadResult extends Readonly<Record<Way, WayResult>> {
  readonly model: string;
  readonly streams: number;
  readonly rounds: number;
}

/** What is asked of a model, and how often a round asks it. */
interface Load {
  readonly model: string;
  readonly chats: number;
  readonly tokens: (chat: number) => number;
}

const contextLength = 512;

const tinyLoad = (streams: number): Load => ({
  model: "bee-tiny",
  chats: Math.max(100, streams * 4),
  tokens: (chat) => 32 + ((chat * 13) % 64),
});
const benchLoad = (streams: number): Load => ({
  model: "bench",
  chats: Math.max(16, streams * 2),
  tokens: (chat) => 16 + ((chat * 13) % 32),
});

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
export async function benchOverhead({ streams, rounds, modelPath }: OverheadOptions): Promise<OverheadResult> {
  const { model, chats, tokens } = modelPath === undefined ? tinyLoad(streams) : benchLoad(streams);
  const models = temporaryFolder("bench-models");
  if (modelPath !== undefined) {
    mkdirSync(join(models.path, model));
    symlinkSync(modelPath, join(models.path, model, basename(modelPath)));
  }
  const household = await startHousehold({
    env: { RBEE_WORKER_SLOTS: String(streams), RBEE_LOG_LEVEL: "error", RBEE_MODEL_PATHS: models.path },
  });
  const stops: (() => void)[] = [];
  try {
    await household.readyHive();
    const key = await household.key();
    const body = { context_length: contextLength };
    if (modelPath !== undefined) await household.admin.updateModelSettings({ params: { id: model }, body });
    const warmUp = { model, messages: [{ role: "user" as const, content: "Hello" }], max_tokens: 8 };
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
    const bodies = Array.from({ length: chats }, (_, n) => ({
      ...warmUp,
      messages: [{ role: "user", content: `Tell me story number ${n} about a bee` }],
      temperature: 0,
      max_tokens: tokens(n),
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
      model,
      streams,
      rounds,
      direct: summary("direct"),
      bareHops: summary("bareHops"),
      through: summary("through"),
    };
  } finally {
    for (const stop of stops) stop();
    await household.stop();
    models.remove();
  }
}
