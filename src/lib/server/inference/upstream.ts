import type { IncomingHttpHeaders } from "node:http";
import { errorBodySchema, parkingKeyHeader, RbeeError } from "@rbee/contract";
import type { Agent, Dispatcher } from "undici";
import type { HiveConnection, LocalWorkers } from "#lib/server/hives/index.ts";
import { isConversation, type Ask } from "./asks.ts";

/** Who takes the bytes of a worker's answer. */
export interface UpstreamReader {
  data(chunk: Buffer): void;
  end(): void;
  error(cause: Error): void;
}

/** A worker's accepted answer: its body as it arrives. */
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

/** A request that was sent to a worker. */
export interface Exchange {
  /** Rejects with `RbeeError`, or with what it was aborted for. */
  readonly accepted: Promise<Upstream>;
  /** Drops the connection, at whatever point it is. */
  abort(reason: Error): void;
}

/** What a worker said when it did not answer. */
export interface Told {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** Sends a request to a worker: through its hive, or straight where that is possible. */
export type Send = (
  connection: HiveConnection,
  workerId: string,
  ask: Ask,
  /** Names the answer, so that it can be found in the logs. */
  requestId: string,
  /** What the worker may keep the conversation with; null when it may not. */
  parkingKey: string | null,
  /** Reads a refusal of the worker itself, where that is not ours and does not refuse as we do. */
  refusalOf?: (told: Told) => RbeeError,
) => Exchange;

function refusal({ text, status, retryAfter }: Told, name: string): RbeeError {
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

/** With this header a hive marks what a worker said itself. */
const workerMark = "x-rbee-worker";
/** No error is longer. */
const longestRefusal = 64 * 1024;

/** What arrives while nobody reads is kept: little, because readers come within the same turn of the event loop. */
class WorkerAnswer implements Upstream {
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

const bytesIn = (parts: readonly Buffer[]) => parts.reduce((sum, { length }) => sum + length, 0);

/** Works on undici's own callbacks, since its streams would cost every token. */
class WorkerExchange implements Exchange, Dispatcher.DispatchHandler {
  readonly accepted: Promise<Upstream>;
  readonly #hiveName: string;
  #settle: { resolve: (upstream: Upstream) => void; reject: (reason: unknown) => void };
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;
  #answer: WorkerAnswer | undefined;
  #refused: { status: number; retryAfter: string | undefined; parts: Buffer[]; byWorker: boolean } | undefined;
  readonly #refusalOf: ((told: Told) => RbeeError) | undefined;
  readonly #diedOf: (() => Promise<RbeeError | null>) | undefined;

  /** `diedOf` asks why a worker that was asked straight is gone; otherwise its hive says so in the answer itself. */
  constructor(
    hiveName: string,
    refusalOf: ((told: Told) => RbeeError) | undefined,
    diedOf: (() => Promise<RbeeError | null>) | undefined,
  ) {
    this.#hiveName = hiveName;
    this.#refusalOf = refusalOf;
    this.#diedOf = diedOf;
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
      const byWorker = headers[workerMark] !== undefined;
      this.#refused = { status, retryAfter: headerOf(headers, "retry-after"), parts: [], byWorker };
      return;
    }
    this.#answer = new WorkerAnswer(controller, headerOf(headers, "content-type") ?? "application/json");
    this.#settle.resolve(this.#answer);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#answer !== undefined) {
      this.#answer.take(chunk);
      return;
    }
    if (this.#refused === undefined) return;
    this.#refused.parts.push(chunk);
    if (bytesIn(this.#refused.parts) < longestRefusal) return;
    this.#refuse();
    controller.abort(new Error("no error is as long"));
  }

  onResponseEnd(): void {
    if (this.#answer !== undefined) {
      this.#answer.finish(null);
      return;
    }
    this.#refuse();
  }

  #refuse(): void {
    const { status = 0, retryAfter, parts = [], byWorker = false } = this.#refused ?? {};
    const told = { status, retryAfter, text: Buffer.concat(parts).toString("utf8") };
    const foreign = byWorker ? this.#refusalOf?.(told) : undefined;
    this.#settle.reject(foreign ?? refusal(told, this.#hiveName));
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, cause: Error): void {
    if (this.#aborted !== undefined || this.#diedOf === undefined) this.#breakOff(cause);
    else void this.#tellDeath(this.#diedOf, cause);
  }

  async #tellDeath(diedOf: () => Promise<RbeeError | null>, cause: Error): Promise<void> {
    const reason = await diedOf();
    this.#breakOff(
      reason ?? new RbeeError("worker_crashed", "The worker process died while it was answering.", { cause }),
    );
  }

  #breakOff(cause: Error): void {
    if (this.#answer !== undefined) this.#answer.finish(cause);
    else if (this.#aborted !== undefined) this.#settle.reject(this.#aborted);
    else if (cause instanceof RbeeError) this.#settle.reject(cause);
    else this.#settle.reject(new RbeeError("hive_unreachable", `${this.#hiveName} does not answer.`, { cause }));
  }
}

/** Why an answer broke off: what its worker died of, or the way to it. */
export const brokenOff = (cause: Error, hiveName: string): RbeeError =>
  cause instanceof RbeeError
    ? cause
    : new RbeeError("hive_unreachable", `The connection to ${hiveName} broke.`, { cause });

/**
 * Conversations go straight to workers of this machine: those count them themselves. What else is asked of a worker its
 * hive has to see, so that the worker counts as used.
 */
export function createSend(agent: Agent, localWorkers: LocalWorkers): Send {
  return ({ baseUrl, token, name }, workerId, ask, requestId, parkingKey, refusalOf) => {
    const straight = isConversation(ask) ? localWorkers.connections(workerId) : undefined;
    const headers = {
      "content-type": "application/json",
      "x-request-id": requestId,
      ...(parkingKey === null ? {} : { [parkingKeyHeader]: parkingKey }),
    };
    const request = { method: "POST", body: JSON.stringify(ask.body) } as const;
    if (straight !== undefined) {
      const exchange = new WorkerExchange(name, refusalOf, () => localWorkers.diedOf(workerId));
      straight.dispatch({ ...request, path: ask.path, headers }, exchange);
      return exchange;
    }
    const exchange = new WorkerExchange(name, refusalOf, undefined);
    agent.dispatch(
      {
        ...request,
        origin: baseUrl,
        path: `/v1/workers/${encodeURIComponent(workerId)}${ask.path}`,
        headers: { authorization: `Bearer ${token}`, ...headers },
      },
      exchange,
    );
    return exchange;
  };
}
