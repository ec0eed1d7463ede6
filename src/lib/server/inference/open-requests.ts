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
  close(requestId: string): void;
  /**
   * Ends a request; without effect on one that is over or never was.
   * @throws {RbeeError} `forbidden` for somebody else's, unless an administrator asks.
   */
  cancel(person: Person, requestId: string): void;
}

export function createOpenRequests(): OpenRequests {
  const requests = new Map<string, OpenRequest>();
  return {
    add(requestId, request) {
      requests.set(requestId, request);
    },
    close(requestId) {
      requests.delete(requestId);
    },
    cancel({ user }, requestId) {
      const request = requests.get(requestId);
      if (request === undefined) return;
      if (request.userId !== user.id && user.role !== "admin")
        throw new RbeeError("forbidden", "This is somebody else's request.", {
          suggestion: "You can cancel your own; an administrator can cancel anybody's.",
        });
      request.ending.abort(new RbeeError("request_cancelled", "The request was cancelled."));
    },
  };
}
