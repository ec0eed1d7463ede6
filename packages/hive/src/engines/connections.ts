import { Pool, type Dispatcher } from "undici";
import type { EngineAddress } from "./engine.ts";

const answersTakeTheirTime = { connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };

/** Connections to an engine. They are opened when they are used; whoever asked for them destroys them. */
export function openConnections(address: EngineAddress): Dispatcher {
  const pool =
    address.kind === "socket"
      ? new Pool("http://worker", { ...answersTakeTheirTime, socketPath: address.path })
      : new Pool(address.origin, answersTakeTheirTime);
  const { paths = {} } = address;
  const headers = address.kind === "http" ? (address.headers ?? {}) : {};
  if (Object.keys(paths).length === 0 && Object.keys(headers).length === 0) return pool;
  return pool.compose((dispatch) => (options, handler) => {
    const path = paths[options.path] ?? options.path;
    return dispatch({ ...options, path, headers: { ...named(options.headers), ...headers } }, handler);
  });
}

/** Headers as the relay and undici's own `request` give them: by name. */
function named(headers: Dispatcher.DispatchOptions["headers"]): Record<string, string | string[] | undefined> {
  if (headers === null || headers === undefined) return {};
  if (Array.isArray(headers) || Symbol.iterator in headers)
    throw new TypeError("Headers for an engine are given by name.");
  return headers as Record<string, string | string[] | undefined>;
}
