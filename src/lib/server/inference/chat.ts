import { setTimeout as delay } from "node:timers/promises";
import {
  RbeeError,
  timingsSchema,
  toRbeeError,
  type ChatRequest,
  type ErrorBody,
  type ErrorCode,
  type Timings,
} from "@rbee/contract";
import { z } from "zod";
import type { HiveConnection } from "#lib/server/hives/index.ts";
import type { FreshWorkers } from "./fleet-view.ts";
import type { InFlight } from "./in-flight.ts";
import type { WorkerView } from "./placement.ts";
import type { EnsureReady } from "./ready.ts";
import { firstBytes, relayStream } from "./relay.ts";
import type { RequestLog } from "./request-log.ts";
import type { SendChat, Upstream } from "./upstream.ts";

/** The worker, or the way to it, failed before the client got anything: another one may answer. */
const elsewhere: ReadonlySet<ErrorCode> = new Set(["hive_unreachable", "worker_crashed", "worker_not_found"]);
/** Waits before a worker that is full or draining is asked again. */
const busyWaitsMs = [1_000, 2_000, 4_000];
const settleMs = 200;
const answerSchema = z.object({ timings: timingsSchema });

export interface ActiveRelay {
  readonly hiveId: string;
  readonly lastByteAt: () => number;
  readonly fail: (error: RbeeError) => void;
}

export interface ChatParts {
  ensureReady: EnsureReady;
  connection: (hiveId: string) => HiveConnection;
  send: SendChat;
  inFlight: InFlight;
  fresh: FreshWorkers;
  /** Answers that are under way, to be ended when their hive goes down. */
  active: Set<ActiveRelay>;
  stallMs: number;
  loadWaitMs: number;
}

interface Attempt {
  readonly chat: ChatRequest;
  readonly signal: AbortSignal;
  readonly requestId: string;
  readonly log: RequestLog;
}

const headersOf = (requestId: string, contentType: string) => ({
  "content-type": contentType,
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
  "x-request-id": requestId,
});

function timingsOf(text: string): Timings | null {
  try {
    return answerSchema.safeParse(JSON.parse(text)).data?.timings ?? null;
  } catch {
    return null;
  }
}

/** Reads a whole answer. A hive that goes down meanwhile ends it, because the connection itself may never say so. */
async function readWhole(upstream: Upstream, worker: WorkerView, name: string, parts: ChatParts): Promise<string> {
  const chunks: Buffer[] = [];
  let failure: RbeeError | undefined;
  const relay: ActiveRelay = {
    hiveId: worker.hiveId,
    lastByteAt: () => 0,
    fail(error) {
      failure = error;
      upstream.abort();
    },
  };
  parts.active.add(relay);
  try {
    for await (const chunk of upstream.body) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw failure ?? new RbeeError("hive_unreachable", `The connection to ${name} broke.`, { cause });
  } finally {
    parts.active.delete(relay);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** One try at one worker. Rejects only while the client has not got a byte. */
async function attempt(
  parts: ChatParts,
  worker: WorkerView,
  { chat, signal, requestId, log }: Attempt,
): Promise<Response> {
  const { inFlight, active, stallMs } = parts;
  const connection = parts.connection(worker.hiveId);
  log.at(worker.hiveId);
  const leave = inFlight.enter(worker.workerId);
  try {
    const upstream = await parts.send(connection, worker.workerId, chat, signal);
    if (chat.stream !== true) {
      const text = await readWhole(upstream, worker, connection.name, parts);
      leave();
      log.end({ error: null, timings: timingsOf(text), firstTextAt: null });
      return new Response(text, { headers: headersOf(requestId, "application/json") });
    }
    const live: { entry?: ActiveRelay; ended: boolean } = { ended: false };
    const options = {
      upstream,
      hiveName: connection.name,
      signal,
      stallMs,
      onEnd: ({ meter, error, firstTextAt }) => {
        live.ended = true;
        if (live.entry !== undefined) active.delete(live.entry);
        leave();
        log.end({ error, timings: meter.timings, firstTextAt });
      },
    } satisfies Parameters<typeof relayStream>[0];
    const first = await firstBytes(options);
    if (first === null) throw new RbeeError("worker_crashed", "The worker ended before it answered.");
    const early = /^\s*data: (\{"error":.*\})/u.exec(first.toString("utf8"))?.[1];
    if (early !== undefined) throw RbeeError.fromBody(JSON.parse(early) as ErrorBody, "worker_crashed");
    const { stream, fail, lastByteAt } = relayStream(options, first);
    // A short answer may be over already.
    if (!live.ended) {
      live.entry = { hiveId: worker.hiveId, lastByteAt, fail };
      active.add(live.entry);
    }
    return new Response(stream, { headers: headersOf(requestId, "text/event-stream") });
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

/**
 * Answers a chat: finds or loads a worker, asks it, and asks once elsewhere when that worker fails before the client
 * got anything. A busy worker is asked again after 1, 2 and 4 s. One that its hive says is only just coming, because it
 * was restarted since its last heartbeat, is waited for like any load.
 */
export async function answerChat(parts: ChatParts, request: Attempt): Promise<Response> {
  const { chat, signal } = request;
  const avoid = new Set<string>();
  const busyWaits = [...busyWaitsMs];
  const loadDeadline = performance.now() + parts.loadWaitMs;
  let failedOver = false;
  for (;;) {
    const worker = await parts.ensureReady(chat.model, signal, avoid);
    try {
      return await attempt(parts, worker, request);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = toRbeeError(thrown);
      const wait = error.code === "worker_busy" ? busyWaits.shift() : undefined;
      if (wait !== undefined) await delay(wait, undefined, { signal });
      else if (error.code === "model_loading" && performance.now() < loadDeadline) {
        avoid.add(worker.workerId);
        parts.fresh.forget(worker.workerId);
      } else if (elsewhere.has(error.code) && !failedOver) {
        failedOver = true;
        avoid.add(worker.workerId);
        parts.fresh.forget(worker.workerId);
        // Its hive may notice the same failure a moment later than we do.
        await delay(settleMs, undefined, { signal });
      } else throw thrown;
    }
  }
}
