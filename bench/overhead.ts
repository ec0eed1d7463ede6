import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryFolder } from "../tests/support/folder.ts";
import { joinedHive } from "../tests/support/hive.ts";
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
 * The worker's own socket; as many more processes in between as the queen's way has, which only copy bytes, as a floor
 * for anything with so many hops; the queen.
 */
const ways = ["direct", "bareHops", "through"] as const;
type Way = (typeof ways)[number];

export interface OverheadOptions {
  readonly streams: number;
  readonly rounds: number;
  /**
   * Whether the worker is of the queen's own hive, so that only she is in between, or of another one that she reaches
   * over TCP (on this machine, too, so that nothing but the hop itself is added).
   */
  readonly where: "here" | "elsewhere";
  /** A model's file; bee-tiny when left out, which answers so fast that the way is what takes the time. */
  readonly modelPath?: string;
}

export interface OverheadResult extends Readonly<Record<Way, WayResult>>, Pick<OverheadOptions, "where"> {
  readonly model: string;
  readonly streams: number;
  readonly rounds: number;
}

/** What is asked of a model, and how often a round asks it. */
interface Load {
  readonly model: string;
  readonly chats: number;
  readonly tokens: (chat: number) => number;
  /** Short chats before the first round. */
  readonly warmUp: number;
}

const contextLength = 512;

const tinyLoad = (streams: number): Load => ({
  model: "bee-tiny",
  chats: Math.max(100, streams * 4),
  tokens: (chat) => 32 + ((chat * 13) % 64),
  warmUp: 1_000,
});
const benchLoad = (streams: number): Load => ({
  model: "bench",
  chats: Math.max(16, streams * 2),
  tokens: (chat) => 16 + ((chat * 13) % 32),
  warmUp: 100,
});

/** Processes in a row before the worker's socket. */
async function startBareHops(socketPath: string, number: number): Promise<{ origin: string; stop: () => void }> {
  const hops: ChildProcess[] = [];
  let target = socketPath;
  for (let count = 0; count < number; count += 1) {
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
 * What the queen, or she and a hive, add over talking to the worker's own socket: the same worker, the same client, the
 * same chats, all ways in turn, so that drifts of the machine hit them alike. Short chats before, and one round that is
 * not counted, have every program on the way compile what it runs often.
 */
export async function benchOverhead({ streams, rounds, where, modelPath }: OverheadOptions): Promise<OverheadResult> {
  const {
    model,
    chats,
    tokens,
    warmUp: warmUpChats,
  } = modelPath === undefined ? tinyLoad(streams) : benchLoad(streams);
  const models = temporaryFolder("bench-models");
  if (modelPath !== undefined) {
    mkdirSync(join(models.path, model));
    symlinkSync(modelPath, join(models.path, model, basename(modelPath)));
  }
  const env = { RBEE_WORKER_SLOTS: String(streams), RBEE_LOG_LEVEL: "error", RBEE_MODEL_PATHS: models.path };
  const household = await startHousehold({ localHive: where === "here", env });
  const stops: (() => unknown)[] = [];
  try {
    let home = join(household.home, "hive");
    if (where === "elsewhere") {
      const hive = await joinedHive(household, "attic", env);
      stops.push(() => hive.stop());
      ({ home } = hive);
    }
    await household.readyHive();
    const key = await household.key();
    const body = { context_length: contextLength };
    if (modelPath !== undefined) await household.admin.updateModelSettings({ params: { id: model }, body });
    const warmUp = { model, messages: [{ role: "user" as const, content: "Hello" }], max_tokens: 8 };
    await household.admin.chat({ body: warmUp, timeoutMs: 60_000 });
    const socketPath = findSocket(home);
    const hops = await startBareHops(socketPath, where === "here" ? 1 : 2);
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
    const short = Array.from({ length: warmUpChats }, (_, n) => ({ ...bodies[n % chats], max_tokens: 8 }));
    for (const way of ways) await runLoad(clients[way], short, streams);
    for (let round = -1; round < rounds; round += 1) {
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
      where,
      direct: summary("direct"),
      bareHops: summary("bareHops"),
      through: summary("through"),
    };
  } finally {
    for (const stop of stops) await stop();
    await household.stop();
    models.remove();
  }
}
