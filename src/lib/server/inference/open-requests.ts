import { RbeeError } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";

interface OpenRequest {
  readonly userId: string;
  readonly ending: AbortController;
}

/** The requests that are not over, by their id, so that they can be ended from outside. */
export interface OpenRequests {
  add(requestId: string, request: OpenRequest): void;
  /** The request is over. */
  close(requestId: string, request: OpenRequest): void;
  /**
   * Ends a request; without effect on one that is over or never was.
   * @throws {RbeeError} `forbidden` for somebody else's, unless an administrator asks.
   */
  cancel(person: Person, requestId: string): void;
}

export function createOpenRequests(): OpenRequests {
  // Clients may name their requests, so an id can stand for several.
  const requests = new Map<string, Set<OpenRequest>>();
  return {
    add(requestId, request) {
      const same = requests.get(requestId);
      if (same === undefined) requests.set(requestId, new Set([request]));
      else same.add(request);
    },
    close(requestId, request) {
      const same = requests.get(requestId);
      same?.delete(request);
      if (same?.size === 0) requests.delete(requestId);
    },
    cancel({ user }, requestId) {
      const named = [...(requests.get(requestId) ?? [])];
      const own = named.filter(({ userId }) => userId === user.id || user.role === "admin");
      if (named.length > 0 && own.length === 0)
        throw new RbeeError("forbidden", "This is somebody else's request.", {
          suggestion: "You can cancel your own; an administrator can cancel anybody's.",
        });
      for (const { ending } of own) ending.abort(new RbeeError("request_cancelled", "The request was cancelled."));
    },
  };
}
