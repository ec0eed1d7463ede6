import { RbeeError, type Lane, type Queue } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Waiter } from "./queue/index.ts";

interface Posted {
  readonly requestId: string;
  readonly userId: string;
  readonly userName: string;
  readonly model: string;
  readonly lane: Lane;
  /** What ends it. */
  readonly ending: AbortController;
  /** By the board's own clock. */
  readonly since: number;
  /** The hive that answers; null while none does. */
  hiveId: string | null;
  startedAt: number;
}

/** The requests that are not over, as people may see and end them. */
export interface RequestBoard {
  /** The id itself, or one made from it when a request of that id is there: clients may name their requests. */
  free(requestId: string): string;
  post(request: { requestId: string; person: Person; model: string; lane: Lane; ending: AbortController }): void;
  /** A hive has been asked. */
  at(requestId: string, hiveId: string): void;
  /** It is over; calling it again does nothing. */
  remove(requestId: string): void;
  /**
   * Ends a request with `request_cancelled`; without effect on one that is over or never was.
   * @throws {RbeeError} `forbidden` for somebody else's, unless an administrator asks.
   */
  cancel(person: Person, requestId: string): void;
  /** Who waits and what is being answered; members see no names but their own. */
  view(person: Person, waiters: readonly Waiter[], hiveName: (hiveId: string) => string | null): Queue;
}

/** @param now milliseconds of the clock that waiters are measured by */
export function createRequestBoard(now: () => number): RequestBoard {
  const posted = new Map<string, Posted>();

  return {
    free: (requestId) => (posted.has(requestId) ? `${requestId}~${crypto.randomUUID()}` : requestId),
    post({ requestId, person, model, lane, ending }) {
      const { id: userId, name: userName } = person.user;
      const state = { since: now(), hiveId: null, startedAt: 0 };
      posted.set(requestId, { requestId, userId, userName, model, lane, ending, ...state });
    },
    at(requestId, hiveId) {
      const request = posted.get(requestId);
      if (request === undefined) return;
      request.hiveId = hiveId;
      request.startedAt = now();
    },
    remove(requestId) {
      posted.delete(requestId);
    },
    cancel({ user }, requestId) {
      const request = posted.get(requestId);
      if (request === undefined) return;
      if (request.userId !== user.id && user.role !== "admin")
        throw new RbeeError("forbidden", "This is somebody else's request.", {
          suggestion: "You can cancel your own; an administrator can cancel anybody's.",
        });
      request.ending.abort(new RbeeError("request_cancelled", "The request was cancelled."));
    },
    view({ user }, waiters, hiveName) {
      const seconds = (since: number) => Math.max(0, now() - since) / 1_000;
      const whose = ({
        requestId,
        userId,
        userName,
        model,
        lane,
      }: Pick<Posted, "requestId" | "userId" | "userName" | "model" | "lane">) => {
        const mine = userId === user.id;
        const told = mine || user.role === "admin";
        return { request_id: told ? requestId : null, model, lane, mine, user: told ? userName : null };
      };
      const inTurn = new Set(waiters.map(({ requestId }) => requestId));
      const places = new Map<string, number>();
      for (const { model, position } of waiters) places.set(model, Math.max(position, places.get(model) ?? 0));
      const others = [...posted.values()].filter(({ requestId }) => !inTurn.has(requestId));
      const nextPlace = (model: string) => {
        const place = (places.get(model) ?? 0) + 1;
        places.set(model, place);
        return place;
      };
      return {
        data: [
          ...waiters.map((waiter) => ({
            ...whose(waiter),
            waits_for: "slot" as const,
            position: waiter.position,
            waiting_s: seconds(waiter.waitingSince),
          })),
          ...others
            .filter(({ hiveId }) => hiveId === null)
            .map((request) => ({
              ...whose(request),
              waits_for: "model" as const,
              position: nextPlace(request.model),
              waiting_s: seconds(request.since),
            })),
        ],
        running: others.flatMap((request) =>
          request.hiveId === null
            ? []
            : [{ ...whose(request), hive: hiveName(request.hiveId), running_s: seconds(request.startedAt) }],
        ),
      };
    },
  };
}
