import type { FetchLike } from "@rbee/contract";
import { Agent, fetch } from "undici";

/**
 * Connections to hives: kept alive, 5 s to connect. Answers have no time limit here, because a prompt may be prefilled
 * for minutes; each caller sets its own.
 */
export function hiveAgent(): Agent {
  return new Agent({ connect: { timeout: 5_000 }, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 });
}

/** `fetch` through an agent; Node's own takes none of another undici's. */
export function fetchThrough(agent: Agent): FetchLike {
  return async (url, init) => (await fetch(url, { ...init, dispatcher: agent })) as unknown as Response;
}
