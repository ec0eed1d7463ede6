import { once } from "node:events";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import type { FetchLike } from "@rbee/contract";

/** After so much silence the other machine is asked whether it is still there. */
const probeAfterMs = 60_000;
/** Statuses whose answers have no body. */
const bodiless = new Set([204, 205, 304]);

/**
 * As Node's own `fetch`, which gives up on an answer that is silent for five minutes; this one waits for as long as the
 * connection stands. It follows no redirects. It rejects, and its body breaks, with the error of the connection.
 */
export const patientFetch: FetchLike = async (url, { method, headers, body, signal }) => {
  const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url, {
    method,
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
  // A machine that lost its power does not close its connections.
  request.setSocketKeepAlive(true, probeAfterMs);
  // Once there is an answer, that tells what broke; unheard, the request's own error would end the program.
  request.on("error", () => {});
  request.end(body);
  const [incoming] = (await once(request, "response")) as [IncomingMessage];
  const status = incoming.statusCode ?? 0;
  const told = new Headers();
  for (const [name, values = []] of Object.entries(incoming.headersDistinct))
    for (const value of values) told.append(name, value);
  if (!bodiless.has(status)) return new Response(Readable.toWeb(incoming) as ReadableStream, { status, headers: told });
  incoming.resume();
  return new Response(null, { status, headers: told });
};
