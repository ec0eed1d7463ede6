import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { parkingKeyHeader, RbeeError, streamErrorEvent, toRbeeError } from "@rbee/contract";
import type { Dispatcher } from "undici";
import type { Logger } from "../log.ts";
import type { TokenGate } from "./authentication.ts";

/** Where the relay begins: everything under a worker's own `/v1`. */
const relayed = /^\/v1\/workers\/([^/?]+)(\/v1\/[^#]*)$/u;

/** A body up to this size is sent on in one piece, mostly in one write with the headers. */
const smallBodyBytes = 64 * 1024;

/** Headers that belong to one connection (RFC 9110, 7.6.1), and the token, which is the hive's and not the worker's. */
const ownToConnection = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
  "authorization",
]);

/** What a server of somebody else is told of a request. */
const toldToStrangers: ReadonlySet<string> = new Set(["accept", "content-length", "content-type", "x-request-id"]);

/** Marks what a worker said itself, so that its errors are told from this hive's own. */
export const workerMark = "x-rbee-worker";

/** Where requests for a worker go. */
export interface WorkerAddress {
  readonly connections: Dispatcher;
  /** Stands before the path of every request. */
  readonly basePath: string;
  /** A server of somebody else: it gets the request and nothing about this household. */
  readonly stranger: boolean;
}

export interface RelayOptions {
  readonly gate: TokenGate;
  /** Where a worker is; throws why it is nowhere. */
  readonly address: (workerId: string) => WorkerAddress;
  /** Whether the key for parked conversations is for this worker: only for our own, and while any are kept. */
  readonly mayHaveParkingKey: (workerId: string) => boolean;
  /** Why a worker that was answering died; null when nobody knows. */
  readonly diedOf: (workerId: string) => Promise<RbeeError | null>;
  readonly log: Logger;
}

/**
 * Passes requests for a worker on to its socket and its answers back, byte by byte. It works on node's own objects,
 * since the way through web streams would cost every token.
 */
export class Relay {
  readonly #options: RelayOptions;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Answers the request and gives true when it is one for a worker. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const match = relayed.exec(request.url ?? "");
    if (match === null) return false;
    const [, id = "", path = ""] = match;
    try {
      this.#options.gate.check(request.headers.authorization);
      const workerId = decoded(id);
      this.#forward(workerId, path, request, response);
    } catch (error) {
      refuse(response, toRbeeError(error));
    }
    return true;
  }

  #forward(workerId: string, path: string, request: IncomingMessage, response: ServerResponse): void {
    const { address, mayHaveParkingKey, diedOf, log } = this.#options;
    const { connections, basePath, stranger } = address(workerId);
    const method = request.method ?? "GET";
    const headers = stranger ? forStrangers(request.headers) : passedOn(request.headers);
    if (parkingKeyHeader in headers && !mayHaveParkingKey(workerId)) Reflect.deleteProperty(headers, parkingKeyHeader);
    const transfer = new Transfer(response, log, workerId, async () => diedOf(workerId));
    const dispatch = (body: Buffer | IncomingMessage | null) => {
      connections.dispatch({ path: `${basePath}${path}`, method, headers, body }, transfer);
    };
    const length = request.headers["content-length"];
    if (length === undefined && request.headers["transfer-encoding"] === undefined) dispatch(null);
    else if (Number(length) > 0 && Number(length) <= smallBodyBytes) whole(request, dispatch);
    else dispatch(request);
  }
}

/** Calls back with a body once it has come whole; never, when its sender leaves before. */
function whole(request: IncomingMessage, then: (body: Buffer) => void): void {
  const parts: Buffer[] = [];
  request
    .on("data", (part: Buffer) => void parts.push(part))
    .once("end", () => {
      then(Buffer.concat(parts));
    });
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    throw new RbeeError("worker_not_found", "This is not the id of a worker.");
  }
}

function passedOn(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  // A header that the sender names in `connection` is for that connection alone, too.
  const named = headers.connection?.toLowerCase().split(/\s*,\s*/u);
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || ownToConnection.has(name) || named?.includes(name) === true) continue;
    kept[name] = value;
  }
  return kept;
}

const forStrangers = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(Object.entries(passedOn(headers)).filter(([name]) => toldToStrangers.has(name)));

function refuse(response: ServerResponse, error: RbeeError): void {
  response.writeHead(error.status, error.headers());
  response.end(JSON.stringify(error.toBody()));
}

/** One answer on its way from a worker to the client. */
class Transfer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #log: Logger;
  readonly #workerId: string;
  readonly #diedOf: () => Promise<RbeeError | null>;
  #controller: Dispatcher.DispatchController | undefined;
  #isStream = false;
  #hasData = false;
  #clientLeft = false;

  constructor(response: ServerResponse, log: Logger, workerId: string, diedOf: () => Promise<RbeeError | null>) {
    this.#response = response;
    this.#log = log;
    this.#workerId = workerId;
    this.#diedOf = diedOf;
    response.on("close", () => {
      if (response.writableFinished) return;
      this.#clientLeft = true;
      this.#controller?.abort(new Error("the client left"));
    });
    response.on("drain", () => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#clientLeft) controller.abort(new Error("the client left"));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    const response = this.#response;
    this.#isStream = headers["content-type"]?.startsWith("text/event-stream") === true;
    response.writeHead(status, { ...passedOn(headers), [workerMark]: this.#workerId });
    // An accepted stream shows itself, long before its first token: unless that came along and takes the headers with it.
    if (this.#isStream)
      setImmediate(() => {
        if (!this.#hasData && !response.writableEnded && !response.destroyed) response.flushHeaders();
      });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#hasData = true;
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    void this.#cutOff(cause);
  }

  async #cutOff(cause: Error): Promise<void> {
    const response = this.#response;
    if (this.#clientLeft || response.destroyed) return;
    const error =
      (await this.#diedOf().catch(() => null)) ??
      new RbeeError("worker_crashed", "The worker process died while it was answering.", { cause });
    if (this.#clientLeft || response.destroyed) return;
    this.#log.warn({ cause: cause.message }, "A worker's answer was cut off.");
    if (!response.headersSent) refuse(response, error);
    // The blank line ends whatever event was cut in the middle.
    else if (this.#isStream) response.end(`\n\n${streamErrorEvent(error)}`);
    else response.destroy();
  }
}
