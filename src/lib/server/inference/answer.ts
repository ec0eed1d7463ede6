import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, toRbeeError, type ErrorBody, type ErrorCode, type Lane } from "@rbee/contract";
import type { HiveConnection } from "#lib/server/hives/index.ts";
import { isConversation, type Ask } from "./asks.ts";
import { Reply } from "./reply.ts";
import {
  foreignAsk,
  foreignRefusal,
  foreignServer,
  foreignStream,
  foreignUnstreamed,
  foreignWhole,
  noAnswerOf,
  stalledOf,
  type ForeignServer,
} from "./foreign/index.ts";
import type { FreshWorkers } from "./fleet-view.ts";
import type { Where, WorkerView } from "./placement.ts";
import type { Seat, WaitingRoom } from "./queue/index.ts";
import type { EnsureReady } from "./ready.ts";
import type { TokenCounts } from "./metering.ts";
import { firstBytes, relayStream } from "./relay.ts";
import type { RequestLog } from "./request-log.ts";
import type { Exchange, Send, Told } from "./upstream.ts";
import { countsOf, noAnswer, readWhole } from "./whole-answer.ts";

/** The worker, or the way to it, failed before the client got anything: another one may answer. */
const elsewhere: ReadonlySet<ErrorCode> = new Set([
  "hive_unreachable",
  "hive_down",
  "worker_crashed",
  "worker_not_found",
]);
/** Waits before a worker that is full or draining is asked again. */
const busyWaitsMs = [1_000, 2_000, 4_000];
/** Somebody else's server that says that it is loading is not asked again sooner, whatever it says. */
const leastLoadingWaitMs = 250;
const settleMs = 200;
const lookEveryMs = 1_000;
export interface ActiveRelay {
  readonly hiveId: string;
  readonly lastByteAt: () => number;
  readonly fail: (error: RbeeError) => void;
}

export interface AnswerParts {
  ensureReady: EnsureReady;
  connection: (hiveId: string) => HiveConnection;
  send: Send;
  /** What the worker may keep the conversation with; null when its hive keeps none. */
  parkingKey: (userId: string, hiveId: string) => string | null;
  /** Where a request waits for a slot, in fair order. */
  room: WaitingRoom<WorkerView>;
  fresh: FreshWorkers;
  /** Answers that are under way, to be ended when their hive goes down. */
  active: Set<ActiveRelay>;
  /** Whether the worker's hive says that it is answering somebody. */
  works: (worker: WorkerView) => boolean;
  /** How long an answer may give no sign of life, in milliseconds. */
  stallMs: number;
  /** How long somebody else's server, of which nobody knows whether it works, may take to begin its answer. */
  externalLimitMs: number;
  loadWaitMs: number;
}

interface Attempt {
  readonly ask: Ask;
  readonly user: { readonly id: string; readonly name: string };
  readonly lane: Lane;
  /** Where alone it may be answered; anywhere when left out. */
  readonly where?: Where | undefined;
  readonly signal: AbortSignal;
  readonly requestId: string;
  readonly log: RequestLog;
  readonly seated?: ((worker: WorkerView) => void) | undefined;
}

/** How long the parts of a request took, in milliseconds. */
interface Spent {
  /** Until a worker of the model was ready. */
  load: number;
  /** Until it was this request's turn there. */
  queue: number;
}

/** The `Server-Timing` header: what is not over when the headers go is left out. */
function timingHeader({ queue, load }: Spent, prefill?: number, decode?: number): string {
  const part = (name: string, ms: number) => `${name};dur=${Math.round(ms * 10) / 10}`;
  let header = `${part("queue", queue)}, ${part("load", load)}`;
  if (prefill !== undefined) header += `, ${part("prefill", prefill)}`;
  if (decode !== undefined) header += `, ${part("decode", decode)}`;
  return header;
}

const headersOf = (requestId: string, contentType: string, hiveName: string, timing: string) => ({
  "content-type": contentType,
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
  "x-request-id": requestId,
  // A header holds Latin letters only; a hive may be called anything.
  "x-rbee-hive": encodeURIComponent(hiveName),
  "server-timing": timing,
});

/** A wait for bytes of a worker that may never come. */
interface Wait {
  /** Why waiting became pointless; undefined while it has not. */
  readonly failure: () => RbeeError | undefined;
  readonly end: () => void;
}

/**
 * Watches over what a connection alone cannot tell: that the client left, that its hive went down, or that the worker
 * has nothing to do and the answer is lost. How long a worker may compute is not limited, but for servers of others:
 * whether those compute is not known.
 */
function watchedWait(
  { active, works, stallMs, externalLimitMs }: AnswerParts,
  worker: WorkerView,
  foreign: ForeignServer | null,
  client: AbortSignal,
  exchange: Exchange,
): Wait {
  let failure: RbeeError | undefined;
  let workedAt = performance.now();
  const fail = (error: RbeeError) => {
    failure ??= error;
    exchange.abort(error);
  };
  const onLeft = () => {
    exchange.abort(new RbeeError("request_cancelled", "The client went away."));
  };
  const entry: ActiveRelay = { hiveId: worker.hiveId, lastByteAt: () => Number.NEGATIVE_INFINITY, fail };
  active.add(entry);
  const begunAt = workedAt;
  const isExternal = foreign !== null && worker.external !== undefined;
  const timer = setInterval(
    () => {
      const now = performance.now();
      if (isExternal && now - begunAt >= externalLimitMs) fail(stalledOf(foreign, externalLimitMs));
      else if (works(worker)) workedAt = now;
      else if (now - workedAt >= stallMs)
        fail(new RbeeError("worker_stalled", `The worker has not worked on this answer for ${stallMs / 1000} s.`));
    },
    Math.min(lookEveryMs, stallMs, isExternal ? externalLimitMs : lookEveryMs),
  ).unref();
  if (client.aborted) onLeft();
  else client.addEventListener("abort", onLeft, { once: true });
  return {
    failure: () => failure,
    end() {
      clearInterval(timer);
      client.removeEventListener("abort", onLeft);
      active.delete(entry);
    },
  };
}

/** What it did cost. What was in the worker's cache already cost nothing. */
const actualCost = (timings: TokenCounts | null): number | null =>
  timings === null ? null : timings.prompt_n + timings.predicted_n;

/** One try at one worker. Rejects only while the client has not got a byte. */
async function attempt(
  parts: AnswerParts,
  { worker, leave }: Seat<WorkerView>,
  { ask, user, signal, requestId, log, seated }: Attempt,
  spent: Spent,
): Promise<Reply> {
  const { active, stallMs } = parts;
  const { connection, exchange, foreign } = send(parts, worker, { ask, user, requestId, leave });
  log.at(worker.hiveId);
  seated?.(worker);
  const wait = watchedWait(parts, worker, foreign, signal, exchange);
  const sentAt = performance.now();
  try {
    const accepted = await exchange.accepted;
    if (!accepted.contentType.startsWith(ask.stream ? "text/event-stream" : "application/json")) {
      if (foreign === null) throw noAnswer(connection.name);
      // Some say 200 and then that it did not work.
      throw accepted.contentType.startsWith("application/json")
        ? foreignUnstreamed(await readWhole(accepted, connection.name, foreign), foreign)
        : noAnswerOf(foreign);
    }
    if (!ask.stream) {
      const said = await readWhole(accepted, connection.name, foreign);
      const { text, counts } =
        foreign === null ? { text: said, counts: countsOf(said, connection.name) } : foreignWhole(said, ask, foreign);
      leave(actualCost(counts));
      log.end({ error: null, timings: counts, firstTextAt: null, uncounted: foreign !== null && counts === null });
      const work = counts !== null && "prompt_ms" in counts ? counts : undefined;
      const timing = timingHeader(spent, work?.prompt_ms, work?.predicted_ms);
      return new Reply(headersOf(requestId, "application/json", connection.name, timing), text);
    }
    const told = foreign === null ? null : foreignStream(accepted, ask, foreign);
    const upstream = told ?? accepted;
    const live: { entry?: ActiveRelay; ended: boolean } = { ended: false };
    const options = {
      upstream,
      hiveName: connection.name,
      signal,
      stallMs,
      onEnd: ({ meter, error, firstTextAt }) => {
        live.ended = true;
        if (live.entry !== undefined) active.delete(live.entry);
        // Pieces of text are tokens where our own worker cut them.
        const counts = meter.timings ?? (told === null ? meter.counted : told.counts());
        leave(actualCost(counts));
        log.end({ error, timings: counts, firstTextAt, uncounted: told !== null && counts === null });
      },
    } satisfies Parameters<typeof relayStream>[0];
    const first = await firstBytes(options);
    const begunAt = performance.now();
    if (first === null) throw new RbeeError("worker_crashed", "The worker ended before it answered.");
    const early = /^\s*data: (\{"error":.*\})/u.exec(first.toString("utf8"))?.[1];
    if (early !== undefined) throw RbeeError.fromBody(JSON.parse(early) as ErrorBody, "worker_crashed");
    const { flow, fail, lastByteAt } = relayStream(options, first);
    // The client may have left already.
    if (!live.ended) {
      live.entry = { hiveId: worker.hiveId, lastByteAt, fail };
      active.add(live.entry);
    }
    const timing = timingHeader(spent, begunAt - sentAt);
    return new Reply(headersOf(requestId, "text/event-stream", connection.name, timing), flow);
  } catch (thrown) {
    leave();
    exchange.abort(toRbeeError(thrown));
    throw wait.failure() ?? thrown;
  } finally {
    wait.end();
  }
}

/** Sends the request to the worker; the seat is given back when that is not even possible. */
function send(
  parts: AnswerParts,
  worker: WorkerView,
  { ask, user, requestId, leave }: Pick<Attempt, "ask" | "user" | "requestId"> & { leave: () => void },
): { connection: HiveConnection; exchange: Exchange; foreign: ForeignServer | null } {
  try {
    const connection = parts.connection(worker.hiveId);
    const foreign = foreignServer(worker, connection.name);
    if (foreign !== null) {
      const asked = foreignAsk(ask, foreign);
      const refusalOf = (told: Told) => foreignRefusal(told, foreign);
      return {
        connection,
        foreign,
        exchange: parts.send(connection, worker.workerId, asked, requestId, null, refusalOf),
      };
    }
    const parkingKey = isConversation(ask) ? parts.parkingKey(user.id, worker.hiveId) : null;
    return { connection, foreign, exchange: parts.send(connection, worker.workerId, ask, requestId, parkingKey) };
  } catch (error) {
    leave();
    throw error;
  }
}

/** A slot of a worker that has the model: found or loaded, and waited for in turn. */
async function takeSeat(
  parts: AnswerParts,
  request: Attempt,
  avoid: Set<string>,
  spent: Spent,
): Promise<Seat<WorkerView>> {
  const { ask, user, lane, where, signal, requestId } = request;
  const deadline = performance.now() + parts.loadWaitMs;
  for (;;) {
    const askedAt = performance.now();
    const ready = await parts.ensureReady(ask.model, signal, avoid, { where });
    const readyAt = performance.now();
    spent.load += readyAt - askedAt;
    // One that had failed this request was waited for until its hive said itself that it is ready again.
    avoid.delete(ready.workerId);
    const seat = await parts.room.seat({
      requestId,
      model: ask.model,
      userId: user.id,
      userName: user.name,
      lane,
      cost: ask.cost,
      avoid,
      where,
      signal,
    });
    spent.queue += performance.now() - readyAt;
    if (seat !== null) return seat;
    // Every worker went away while it waited.
    if (performance.now() > deadline)
      throw new RbeeError("worker_busy", `No worker of ${ask.model} stays ready.`, { retryAfterS: 5 });
    await delay(settleMs, undefined, { signal });
  }
}

/** Somebody else's server has a model no more; the household may have it elsewhere. */
const lacksModel = ({ external }: WorkerView, { code }: RbeeError): boolean =>
  external !== undefined && code === "model_not_found";

/**
 * Answers a request: finds or loads a worker, waits for its turn there, asks it, and asks once elsewhere when that
 * worker fails before the client got anything. A busy worker is asked again after 1, 2 and 4 s. One that its hive says is only just coming, because it
 * was restarted since its last heartbeat, is waited for like any load.
 */
export async function answer(parts: AnswerParts, request: Attempt): Promise<Reply> {
  const { signal } = request;
  const avoid = new Set<string>();
  const busyWaits = [...busyWaitsMs];
  const loadDeadline = performance.now() + parts.loadWaitMs;
  const spent: Spent = { queue: 0, load: 0 };
  let failedOver = false;
  for (;;) {
    const seat = await takeSeat(parts, request, avoid, spent);
    const { worker } = seat;
    try {
      return await attempt(parts, seat, request, spent);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = toRbeeError(thrown);
      const wait = error.code === "worker_busy" ? busyWaits.shift() : undefined;
      if (wait !== undefined) await delay(wait, undefined, { signal });
      else if (error.code === "model_loading" && performance.now() < loadDeadline) {
        parts.fresh.forget(worker.workerId);
        if (worker.external === undefined) avoid.add(worker.workerId);
        else {
          // No hive tells when it is ready: it counts as ready all the while.
          const asked = Math.max((error.retryAfterS ?? 2) * 1_000, leastLoadingWaitMs);
          await delay(Math.max(0, Math.min(asked, loadDeadline - performance.now())), undefined, { signal });
        }
      } else if ((elsewhere.has(error.code) || lacksModel(worker, error)) && !failedOver) {
        failedOver = true;
        avoid.add(worker.workerId);
        parts.fresh.forget(worker.workerId);
        // Its hive may notice the same failure a moment later than we do.
        await delay(settleMs, undefined, { signal });
      } else throw thrown;
    }
  }
}
