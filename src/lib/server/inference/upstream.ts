import type { IncomingHttpHeaders } from "node:http";
import { errorBodySchema, parkingKeyHeader, RbeeError } from "@rbee/contract";
import type { Agent, Dispatcher } from "undici";
import type { HiveConnection } from "#lib/server/hives/index.ts";
import type { Ask } from "./asks.ts";

/** Who takes the bytes of a hive's answer. */
export interface UpstreamReader {
  data(chunk: Buffer): void;
  end(): void;
  error(cause: Error): void;
}

/** A hive's accepted answer: its body as it arrives. */
export interface Upstream {
  readonly contentType: string;
  /** Hands over what has come and what will come; the next reader takes over from this one, null from nobody. */
  read(reader: UpstreamReader | null): void;
  readonly paused: boolean;
  pause(): void;
  resume(): void;
  /** Drops the connection, which frees the worker's slot. */
  abort(): void;
}

/** A request that was sent to a hive. */
export interface Exchange {
  /** Rejects with `RbeeError`, or with what it was aborted for. */
  readonly accepted: Promise<Upstream>;
  /** Drops the connection, at whatever point it is. */
  abort(reason: Error): void;
}

/** Sends a request to a worker through its hive. */
export type Send = (
  connection: HiveConnection,
  workerId: string,
  ask: Ask,
  /** Names the answer, so that it can be found in the logs. */
  requestId: string,
  /** What the worker may keep the conversation with; null when it may not. */
  parkingKey: string | null,
) => Exchange;

function refusal(text: string, status: number, retryAfter: string | undefined, name: string): RbeeError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const known = errorBodySchema.safeParse(parsed).data;
  const seconds = Number(retryAfter ?? Number.NaN);
  if (known !== undefined)
    return RbeeError.fromBody(known, "internal_error", Number.isFinite(seconds) ? seconds : undefined);
  return new RbeeError("hive_invalid_response", `${name} answered ${status} without an rbee error.`);
}

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** What arrives while nobody reads is kept: little, because readers come within the same turn of the event loop. */
class HiveAnswer implements Upstream {
  readonly contentType: string;
  readonly #controller: Dispatcher.DispatchController;
  #reader: UpstreamReader | null = null;
  #kept: Buffer[] = [];
  #over: { readonly cause: Error | null } | undefined;

  constructor(controller: Dispatcher.DispatchController, contentType: string) {
    this.#controller = controller;
    this.contentType = contentType;
  }

  get paused(): boolean {
    return this.#controller.paused;
  }

  read(reader: UpstreamReader | null): void {
    this.#reader = reader;
    while (this.#reader !== null) {
      const chunk = this.#kept.shift();
      if (chunk === undefined) break;
      this.#reader.data(chunk);
    }
    this.#tellEnd();
  }

  pause(): void {
    this.#controller.pause();
  }

  resume(): void {
    if (this.#controller.paused) this.#controller.resume();
  }

  abort(): void {
    this.#controller.abort(new Error("the answer is not wanted any more"));
  }

  take(chunk: Buffer): void {
    if (this.#reader === null) this.#kept.push(chunk);
    else this.#reader.data(chunk);
  }

  finish(cause: Error | null): void {
    this.#over ??= { cause };
    this.#tellEnd();
  }

  #tellEnd(): void {
    const reader = this.#reader;
    if (this.#over === undefined || reader === null) return;
    this.#reader = null;
    if (this.#over.cause === null) reader.end();
    else reader.error(this.#over.cause);
  }
}

/** Works on undici's own callbacks, since its streams would cost every token. */
class HiveExchange implements Exchange, Dispatcher.DispatchHandler {
  readonly accepted: Promise<Upstream>;
  readonly #hiveName: string;
  #settle: { resolve: (upstream: Upstream) => void; reject: (reason: unknown) => void };
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;
  #answer: HiveAnswer | undefined;
  #refused: { status: number; retryAfter: string | undefined; parts: Buffer[] } | undefined;

  constructor(hiveName: string) {
    this.#hiveName = hiveName;
    const { promise, resolve, reject } = Promise.withResolvers<Upstream>();
    this.accepted = promise;
    this.#settle = { resolve, reject };
  }

  abort(reason: Error): void {
    this.#aborted ??= reason;
    this.#controller?.abort(reason);
    this.#settle.reject(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted !== undefined) controller.abort(this.#aborted);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    if (status !== 200) {
      this.#refused = { status, retryAfter: headerOf(headers, "retry-after"), parts: [] };
      return;
    }
    this.#answer = new HiveAnswer(controller, headerOf(headers, "content-type") ?? "application/json");
    this.#settle.resolve(this.#answer);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#answer === undefined) this.#refused?.parts.push(chunk);
    else this.#answer.take(chunk);
  }

  onResponseEnd(): void {
    if (this.#answer !== undefined) {
      this.#answer.finish(null);
      return;
    }
    const { status, retryAfter, parts } = this.#refused ?? { status: 0, retryAfter: undefined, parts: [] };
    this.#settle.reject(refusal(Buffer.concat(parts).toString("utf8"), status, retryAfter, this.#hiveName));
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, cause: Error): void {
    if (this.#answer !== undefined) this.#answer.finish(cause);
    else if (this.#aborted !== undefined) this.#settle.reject(this.#aborted);
    else this.#settle.reject(new RbeeError("hive_unreachable", `${this.#hiveName} does not answer.`, { cause }));
  }
}

export function createSend(agent: Agent): Send {
  return ({ baseUrl, token, name }, workerId, ask, requestId, parkingKey) => {
    const exchange = new HiveExchange(name);
    agent.dispatch(
      {
        origin: baseUrl,
        path: `/v1/workers/${encodeURIComponent(workerId)}${ask.path}`,
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "x-request-id": requestId,
          ...(parkingKey === null ? {} : { [parkingKeyHeader]: parkingKey }),
        },
        body: JSON.stringify(ask.body),
      },
      exchange,
    );
    return exchange;
  };
}
