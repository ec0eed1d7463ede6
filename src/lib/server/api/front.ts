import type { IncomingMessage, ServerResponse } from "node:http";
import { queenEndpoints, type Endpoint, RbeeError } from "@rbee/contract";
import { Reply } from "#lib/server/inference/index.ts";
import { currentQueen, type Front } from "#lib/server/queen.ts";
import { appCalls } from "./app-calls.ts";
import { BodyTime, tooSlow } from "./body-time.ts";
import { clientAt } from "./client-info.ts";
import { allowOrigins } from "./cors.ts";
import { toldError } from "./endpoint.ts";
import { errorText } from "./error-shape.ts";
import { identify } from "./identify.ts";
import { isApiPath } from "./page-guard.ts";
import { clientLeft, perform, tooLarge, type Arrival } from "./perform.ts";
import { requestIdOf } from "./request-id.ts";

/** As server.js tells SvelteKit in BODY_SIZE_LIMIT. */
const bodyLimit = 64 * 1024 * 1024;
const decoder = new TextDecoder();

const sentId = ({ headers }: IncomingMessage): string | undefined => headers["x-request-id"]?.toString();

interface Direct {
  readonly row: Endpoint;
  readonly answer: (call: object) => unknown;
  /** Where the last request came to, as one asks mostly at the same host. */
  last: { readonly host: string; readonly base: URL } | undefined;
}

const direct: ReadonlyMap<string, Direct> = new Map(
  Object.entries(appCalls).map(([name, answer]) => {
    const row: Endpoint = queenEndpoints[name as keyof typeof appCalls];
    return [`${row.method} ${row.path}`, { row, answer: answer as (call: object) => unknown, last: undefined }];
  }),
);

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const time = new BodyTime(() => {
      refuse(tooSlow());
    });
    const refuse = (error: RbeeError) => {
      time.end();
      // What still comes is read and forgotten, so that the connection can be used again.
      request.off("data", onData).resume();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      time.arrived(chunk.length);
      if (bytes > bodyLimit) refuse(tooLarge());
      else chunks.push(chunk);
    };
    if (Number(request.headers["content-length"] ?? 0) > bodyLimit) {
      refuse(tooLarge());
      return;
    }
    request
      .on("data", onData)
      .once("end", () => {
        time.end();
        resolve(decoder.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
      })
      .once("error", (cause) => {
        reject(clientLeft(cause));
      })
      .once("close", () => {
        time.end();
        if (!request.readableEnded) reject(clientLeft());
      });
  });
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  return headers;
}

function sendText(response: ServerResponse, status: number, headers: Record<string, string>, text: string): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) }).end(text);
}

function sendError(response: ServerResponse, error: RbeeError, path: string, requestId: string): void {
  sendText(
    response,
    error.status,
    { ...error.headers(), "x-request-id": requestId },
    errorText(error, path, requestId),
  );
}

/** Whether it is an address of the API that cannot be decoded. SvelteKit would answer it with a page. */
function isMalformed(address: string): boolean {
  if (!address.includes("%")) return false;
  const [path = ""] = address.split("?", 1);
  if (!isApiPath(path)) return false;
  try {
    // The bundler drops a call whose result nobody uses.
    return decodeURI(path) === "";
  } catch {
    return true;
  }
}

const malformedAddress = () =>
  new RbeeError("invalid_request", "The address cannot be read: a % in it begins no character.", {
    suggestion: "Percent-encode the address as UTF-8.",
  });

function sendReply(response: ServerResponse, status: number, { headers, body }: Reply): void {
  if (typeof body === "string") {
    sendText(response, status, headers, body);
    return;
  }
  response.writeHead(status, headers);
  let silent = true;
  const flow = body({
    write(bytes) {
      silent = false;
      return response.write(bytes);
    },
    end: () => void response.end(),
  });
  // Whoever waits for the first word of a long prompt sees at least that there will be one.
  if (silent && !response.writableEnded) response.flushHeaders();
  response.on("drain", flow.resume).once("close", flow.cancel);
}

async function answer({ row, answer: ask }: Direct, base: URL, request: IncomingMessage, response: ServerResponse) {
  const requestId = requestIdOf(sentId(request));
  const gone = new AbortController();
  response
    .once("close", () => {
      if (!response.writableEnded) gone.abort();
    })
    // A client that left in the middle of a write; `close` follows and does what is needed.
    .on("error", () => {});
  try {
    const header = (name: string) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(", ") : (value ?? null);
    };
    const client = clientAt({ peer: request.socket.remoteAddress ?? "", hostname: base.hostname, header });
    const method = request.method ?? row.method;
    const { person, refusal } = await identify({ method, host: base.host, header, session: undefined }, client);
    const arrival: Arrival = {
      queen: currentQueen().queen,
      requestId,
      client,
      person,
      refusal,
      params: {},
      url: base,
      get headers() {
        return headersOf(request);
      },
      signal: gone.signal,
      header,
      text: () => readText(request),
    };
    const result = await perform(row, arrival, ask);
    if (response.destroyed) return;
    if (result instanceof Reply) sendReply(response, row.status, result);
    else
      sendText(
        response,
        row.status,
        { "content-type": "application/json", "x-request-id": requestId },
        JSON.stringify(result),
      );
  } catch (thrown) {
    const error = toldError(thrown, requestId);
    if (!response.destroyed) sendError(response, error, row.path, requestId);
  }
}

/** The address that a request was sent to; undefined when its host is none. */
function baseAt(host: string, direct: Direct): URL | undefined {
  if (direct.last?.host === host) return direct.last.base;
  const base = URL.parse(`http://${host}${direct.row.path}`);
  if (base?.pathname !== direct.row.path) return undefined;
  direct.last = { host, base };
  return base;
}

/**
 * Answers apps in front of SvelteKit, whose own work for a request costs as much as all of the queen's. The rules are
 * the routes' own: both go through `identify` and `perform`. What needs more is left to SvelteKit: browsers with a
 * session cookie, queries, and hosts that are none.
 */
export const appFront: Front = (request, response) => {
  if (allowOrigins(currentQueen().settings.corsOrigins, request, response)) return true;
  if (isMalformed(request.url ?? "")) {
    sendError(response, malformedAddress(), request.url ?? "", requestIdOf(sentId(request)));
    return true;
  }
  const found = direct.get(`${request.method ?? ""} ${request.url ?? ""}`);
  if (found === undefined) return false;
  const { authorization, host, "x-api-key": apiKey } = request.headers;
  if (authorization === undefined && apiKey === undefined) return false;
  const base = host === undefined ? undefined : baseAt(host, found);
  if (base === undefined) return false;
  void answer(found, base, request, response);
  return true;
};
