import { RbeeError, type Lane } from "@rbee/contract";
import type { Where } from "../placement.ts";
import { FairQueue, type Ticket } from "./fair-queue.ts";

/** A worker that could answer, how many requests it answers at once, and how many more it would take now. */
export interface OpenWorker<W> {
  readonly worker: W;
  readonly slots: number;
  readonly freeSlots: number;
}

export interface SeatRequest {
  readonly requestId: string;
  readonly model: string;
  readonly userId: string;
  readonly userName: string;
  readonly lane: Lane;
  /** Expected cost in tokens: the prompt and the answer. */
  readonly cost: number;
  /** Workers that this request must not be given. */
  readonly avoid: ReadonlySet<string>;
  /** Where alone it may be answered; anywhere when left out. */
  readonly where?: Where | undefined;
  readonly signal: AbortSignal;
}

/** A slot of a worker that is this request's until `leave` is called. */
export interface Seat<W> {
  readonly worker: W;
  /** Gives the slot back; calling it again does nothing. @param actualCost in tokens, where it is known */
  leave(actualCost?: number | null): void;
}

/** One request that waits, as it is shown to people. */
export interface Waiter {
  readonly requestId: string;
  readonly model: string;
  readonly lane: Lane;
  readonly userId: string;
  readonly userName: string;
  /** 1 is served next. */
  readonly position: number;
  readonly waitingSince: number;
}

export interface WaitingRoomOptions<W> {
  /** The workers that have the model ready, the best place first. */
  readonly open: (model: string, avoid: ReadonlySet<string>, where?: Where) => readonly OpenWorker<W>[];
  /** Counts a request at a worker until the answer is called. */
  readonly enter: (worker: W) => () => void;
  /** So many requests may wait for one model. */
  readonly limit: number;
  readonly now: () => number;
}

/** Where requests wait for a slot of a worker that has their model: fairly between people, and not without end. */
export interface WaitingRoom<W> {
  /**
   * A slot, at once when one is free and nobody waits, else in turn. Null when no worker has the model ready any more:
   * one must be loaded first. Rejects with the signal's reason when the client leaves.
   * @throws {RbeeError} `queue_full` with `Retry-After`.
   */
  seat(request: SeatRequest): Promise<Seat<W> | null>;
  /** Looks whether somebody can be served: to be called when workers may have come or gone. */
  look(): void;
  waiting(): Waiter[];
  /** How many requests wait. */
  size(): number;
}

interface Waiting<W> {
  readonly request: SeatRequest;
  readonly since: number;
  readonly settle: (seat: Seat<W> | null) => void;
}

/** One person may fill no more than this share of a model's queue. */
const mostOfOnePerson = 0.5;
const shortestRetryS = 1;
const longestRetryS = 120;
/** How much the latest answer counts in the mean duration of an answer. */
const newestWeight = 0.2;

/** @see WaitingRoom */
export function createWaitingRoom<W extends { readonly workerId: string }>(
  options: WaitingRoomOptions<W>,
): WaitingRoom<W> {
  const { open, enter, limit, now } = options;
  const queues = new Map<string, FairQueue<Waiting<W>>>();
  /** Mean duration of an answer by model, in milliseconds. */
  const durations = new Map<string, number>();

  const freeWorker = ({ model, avoid, where }: SeatRequest): W | undefined =>
    open(model, avoid, where).find(({ freeSlots }) => freeSlots > 0)?.worker;

  const isClosedTo = ({ model, avoid, where }: SeatRequest): boolean => open(model, avoid, where).length === 0;

  const sit = (request: SeatRequest, worker: W): Seat<W> => {
    const { model, userId, cost } = request;
    const leaveWorker = enter(worker);
    const since = now();
    let left = false;
    return {
      worker,
      leave(actualCost = null) {
        if (left) return;
        left = true;
        leaveWorker();
        const before = durations.get(model);
        const took = now() - since;
        durations.set(model, before === undefined ? took : before + newestWeight * (took - before));
        if (actualCost !== null) queues.get(model)?.settle(userId, cost, actualCost);
        lookAt(model);
      },
    };
  };

  const lookAt = (model: string): void => {
    const queue = queues.get(model);
    if (queue === undefined) return;
    for (;;) {
      const next = queue.take(({ item }) => freeWorker(item.request) !== undefined);
      if (next === undefined) break;
      const worker = freeWorker(next.item.request);
      next.item.settle(worker === undefined ? null : sit(next.item.request, worker));
    }
    for (const ticket of queue.order())
      if (isClosedTo(ticket.item.request) && queue.remove(ticket)) ticket.item.settle(null);
    if (queue.size === 0) queues.delete(model);
  };

  const refuseWhenFull = ({ model, userId }: SeatRequest, queue: FairQueue<Waiting<W>>): void => {
    const own = queue.waitingOf(userId);
    const ownLimit = Math.max(1, Math.floor(limit * mostOfOnePerson));
    if (queue.size < limit && own < ownLimit) return;
    const slots = open(model, new Set()).reduce((sum, worker) => sum + worker.slots, 0);
    const waitS = ((durations.get(model) ?? 1_000) * queue.size) / Math.max(1, slots) / 1_000;
    const mine = queue.size < limit;
    throw new RbeeError(
      "queue_full",
      mine ? `You have ${own} requests waiting for ${model} already.` : `${queue.size} requests wait for ${model}.`,
      {
        details: { waiting: mine ? own : queue.size, limit: mine ? ownLimit : limit },
        suggestion: "Send fewer requests at once, or wait as long as Retry-After says.",
        retryAfterS: Math.min(longestRetryS, Math.max(shortestRetryS, waitS)),
      },
    );
  };

  return {
    async seat(request) {
      const { model, userId, lane, cost, signal } = request;
      signal.throwIfAborted();
      const known = queues.get(model);
      if (known === undefined) {
        const worker = freeWorker(request);
        if (worker !== undefined) return sit(request, worker);
        if (isClosedTo(request)) return null;
      }
      const queue = known ?? new FairQueue<Waiting<W>>();
      refuseWhenFull(request, queue);
      queues.set(model, queue);
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          queue.remove(ticket);
          if (queue.size === 0 && queues.get(model) === queue) queues.delete(model);
          reject(signal.reason as Error);
        };
        const settle = (seat: Seat<W> | null) => {
          signal.removeEventListener("abort", onAbort);
          resolve(seat);
        };
        const ticket: Ticket<Waiting<W>> = { userId, lane, cost, item: { request, since: now(), settle } };
        signal.addEventListener("abort", onAbort, { once: true });
        queue.push(ticket);
        lookAt(model);
      });
    },
    look() {
      for (const model of queues.keys()) lookAt(model);
    },
    size: () => [...queues.values()].reduce((sum, queue) => sum + queue.size, 0),
    waiting: () =>
      [...queues].flatMap(([model, queue]) =>
        queue.order().map(({ lane, item: { request, since } }, index) => ({
          requestId: request.requestId,
          model,
          lane,
          userId: request.userId,
          userName: request.userName,
          position: index + 1,
          waitingSince: since,
        })),
      ),
  };
}
