import type { TaskRequest } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Reply, RequestContext } from "#lib/server/inference/index.ts";

/** Questions with all that it takes to have them answered, as routes use them. */
export interface Tasks {
  /**
   * Answers a question as a stream of events, starting a hive, fetching the model and loading it first where it must.
   * What the household knows beforehand is refused at once, what turns out on the way is the stream's result.
   * @throws {RbeeError} `node_not_found`, `model_not_found`, `backend_unavailable`, `hive_down`, `invalid_request`;
   * `forbidden` for what only an administrator may do; `overloaded` while the queen stops.
   */
  start(person: Person, request: TaskRequest, context: Omit<RequestContext, "where" | "seated">): Reply;
  /**
   * Cancels a task or a chat by its request's id; without effect on one that is over or never was.
   * @throws {RbeeError} `forbidden` for somebody else's, unless an administrator asks.
   */
  cancel(person: Person, requestId: string): void;
}
