import { laneOf } from "./lane.ts";
import type { DirectAnswering, EndpointName } from "./endpoint.ts";

/**
 * The endpoints that apps call all the time. Their routes answer with these, and so does the listener in front of
 * SvelteKit: an endpoint without path parameters that is added here is served by both.
 */
export const appCalls = {
  chat: ({ queen, person, body, header, requestId, signal }) =>
    queen.inference.chat(person, body, { requestId, lane: laneOf(header("x-rbee-lane"), person), signal }),
  task: async ({ queen, person, body, header, requestId, signal }) =>
    queen.tasks.start(person, body, { requestId, lane: laneOf(header("x-rbee-lane"), person), signal }),
} satisfies { [N in EndpointName]?: DirectAnswering<N> };
