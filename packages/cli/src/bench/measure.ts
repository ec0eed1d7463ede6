import { setTimeout as wait } from "node:timers/promises";
import type { QueenClient } from "@rbee/contract";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { ask, type Answer } from "../inference/ask.ts";
import { decodeSpeed, median, prefillSpeed, promptLength, timeToFirstToken, type Sample } from "./figures.ts";
import { freshText, storyPrompt } from "./prompts.ts";
import { Watch, type MachineLoad } from "./watch.ts";

/** How long everything after loading may take. */
const limitMs = 30_000;
/** What each part may take of it, and what it takes at least for a steady figure. */
const partMs = 6_500;
const steadyMs = 1_500;
const roundsAtLeast = 3;
const roundsAtMost = 20;
const wantedPrompt = 512;
const promptSeconds = 3;
const answerSeconds = 2;
const warmUpWords = 40;

export interface Prefill {
  readonly rounds: number;
  /** Tokens of the prompts, in the middle. */
  readonly prompt_tokens: number;
  readonly tokens_per_s: number;
  readonly ttft_ms: number | null;
}

export interface Decode {
  readonly streams: number;
  readonly rounds: number;
  /** Of all streams together. */
  readonly tokens_per_s: number;
  /** Of one of them. */
  readonly each_tokens_per_s: number;
  readonly ttft_ms: number | null;
}

export interface Measured {
  readonly hiveId: string;
  readonly hive: string;
  readonly workerId: string;
  /** Null where it could not be measured. */
  readonly prefill: Prefill | null;
  readonly decode: readonly Decode[];
  /** Numbers of streams for which there are not so many slots. */
  readonly beyondSlots: readonly number[];
  readonly load: MachineLoad;
  /** Whether time was up before everything was measured. */
  readonly cutShort: boolean;
  /** Tokens that were not computed one by one but guessed from the text before them. */
  readonly guessed: number;
  /** The longest that a request waited inside the worker for a slot, in milliseconds. */
  readonly waitedMs: number;
  /** Whether other workers than the one that is told answered too. */
  readonly others: boolean;
}

interface Question {
  readonly content: string;
  readonly maxTokens: number;
}

/**
 * Measures a model on one machine through the queen, like any client: reading prompts, then writing one, two and four
 * answers at once. It takes half a minute at most after the model is loaded, and what is not measured by then is left out.
 * @throws {RbeeError} what the first question failed with; the signal's reason.
 */
export async function measure(
  context: Pick<Context, "terminal" | "json" | "narrate" | "signal">,
  connection: Pick<Connection, "client">,
  { model, node }: { model: string; node: string | undefined },
): Promise<Measured> {
  const { signal, narrate } = context;
  const samples: Sample[] = [];
  let where = node;
  const put = async ({ content, maxTokens }: Question, within: AbortSignal): Promise<[Sample, Answer]> => {
    const startedAt = performance.now();
    let firstAt: number | null = null;
    const seen = () => {
      firstAt ??= performance.now();
    };
    const task = {
      ...{ model, max_tokens: maxTokens, temperature: 0, messages: [{ role: "user" as const, content }] },
      ...(where === undefined ? {} : { node: where }),
    };
    const answer = await ask(context, connection, task, { signal: within, text: seen, reasoning: seen });
    const { timings, worker_id: workerId } = answer;
    const sample = { startedAt, firstAt, endedAt: performance.now(), workerId, timings };
    samples.push(sample);
    return [sample, answer];
  };

  // Loads the model when it must, which may take its time.
  const [, { hive_id: hiveId, hive, worker_id: workerId }] = await put({ content: freshText(1), maxTokens: 1 }, signal);
  where = hiveId;
  const deadline = AbortSignal.timeout(limitMs);
  const within = AbortSignal.any([signal, deadline]);
  const { slots, contextLength } = await workerFacts(connection.client, hiveId, workerId, signal);
  // How long a word is and about how fast the machine is, so that what follows takes seconds.
  const [first] = await put({ content: freshText(warmUpWords), maxTokens: 8 }, within).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    return [{ timings: null }] as const;
  });
  const speed = first.timings?.predicted_per_second ?? 0;
  const answerTokens = Math.min(128, Math.max(16, Math.round(speed * answerSeconds)));
  const tokensOfWord =
    first.timings === null ? 2 : Math.max(1, (first.timings.prompt_n + first.timings.cache_n) / warmUpWords);
  const wish = { wanted: wantedPrompt, seconds: promptSeconds };
  const length = promptLength(wish, { speed: prefillSpeed(first), contextLength });

  const watch = new Watch(connection.client, { hiveId, workerId });
  /** Asks the same of `streams` requests at once, round after round, and gives what came of each round. */
  const rounds = async (streams: number, question: () => Question): Promise<Sample[][]> => {
    const done: Sample[][] = [];
    const beganAt = performance.now();
    for (let lastMs = 0; done.length < roundsAtMost && !within.aborted;) {
      const at = performance.now();
      const isSteady = done.length >= roundsAtLeast && at - beganAt >= steadyMs;
      if (isSteady || (done.length > 0 && at - beganAt + lastMs > partMs)) break;
      const asked = question();
      watch.ours = streams;
      const settled = await Promise.allSettled(Array.from({ length: streams }, () => put(asked, within)));
      watch.ours = 0;
      signal.throwIfAborted();
      if (deadline.aborted) break;
      const round = settled.map((each) => {
        if (each.status === "rejected") throw each.reason;
        return each.value[0];
      });
      done.push(round);
      lastMs = performance.now() - at;
    }
    return done;
  };

  try {
    if (!within.aborted) narrate("bench", `${hive} reads prompts of about ${length} tokens`);
    const words = Math.max(4, Math.floor(length / tokensOfWord));
    const prompts = (await rounds(1, () => ({ content: freshText(words), maxTokens: 1 }))).flat();
    const decode: Decode[] = [];
    const beyondSlots: number[] = [];
    for (const streams of [1, 2, 4]) {
      if (within.aborted) break;
      if (slots !== null && streams > slots) {
        beyondSlots.push(streams);
        continue;
      }
      narrate("bench", streams === 1 ? "it writes one answer" : `it writes ${streams} answers at once`);
      const found = decodeOf(
        streams,
        await rounds(streams, () => ({ content: storyPrompt(), maxTokens: answerTokens })),
      );
      if (found !== null) decode.push(found);
    }
    return {
      ...{ hiveId, hive, workerId, prefill: prefillOf(prompts), decode, beyondSlots, load: await watch.stop() },
      cutShort: deadline.aborted,
      guessed: samples.reduce((sum, { timings }) => sum + (timings?.draft_n_accepted ?? 0), 0),
      waitedMs: Math.max(...samples.map(({ timings }) => timings?.queue_ms ?? 0)),
      others: samples.some((sample) => sample.workerId !== workerId),
    };
  } finally {
    await watch.stop();
  }
}

function prefillOf(samples: readonly Sample[]): Prefill | null {
  const read = samples.flatMap((sample) => {
    const speed = prefillSpeed(sample);
    return speed === null ? [] : [{ speed, sample }];
  });
  const tokens_per_s = median(read.map(({ speed }) => speed));
  const prompt_tokens = median(read.map(({ sample }) => sample.timings?.prompt_n ?? 0));
  if (tokens_per_s === null || prompt_tokens === null) return null;
  return { rounds: read.length, prompt_tokens, tokens_per_s, ttft_ms: ttftOf(read.map(({ sample }) => sample)) };
}

function decodeOf(streams: number, rounds: readonly Sample[][]): Decode | null {
  const usable = rounds.flatMap((samples) => {
    const speed = decodeSpeed(samples);
    return speed === null ? [] : [{ samples, speed }];
  });
  const tokens_per_s = median(usable.map(({ speed }) => speed.together));
  const each_tokens_per_s = median(usable.map(({ speed }) => speed.each));
  if (tokens_per_s === null || each_tokens_per_s === null) return null;
  const ttft_ms = ttftOf(usable.flatMap(({ samples }) => samples));
  return { streams, rounds: usable.length, tokens_per_s, each_tokens_per_s, ttft_ms };
}

const ttftOf = (samples: readonly Sample[]): number | null =>
  median(samples.map(timeToFirstToken).filter((ms) => ms !== null));

/** A hive tells of a new worker within a heartbeat. */
const toldWithinMs = 3_000;
const lookEveryMs = 250;

/** Null for what the hive has not told. */
async function workerFacts(
  client: Pick<QueenClient, "fleet">,
  hiveId: string,
  workerId: string,
  signal: AbortSignal,
): Promise<{ slots: number | null; contextLength: number | null }> {
  const deadline = performance.now() + toldWithinMs;
  for (;;) {
    const { hives } = await client.fleet({ signal });
    const worker = hives
      .find(({ hive_id }) => hive_id === hiveId)
      ?.workers.find(({ worker_id }) => worker_id === workerId);
    const slots = worker?.slots_total ?? null;
    if (slots !== null || performance.now() > deadline) return { slots, contextLength: worker?.context_length ?? null };
    await wait(lookEveryMs, undefined, { signal });
  }
}
