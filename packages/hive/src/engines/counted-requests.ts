import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";

/** Requests that are being answered over some connections, for engines that do not tell by themselves. */
export class CountedRequests {
  /** The same connections; what is posted through them is counted. */
  readonly connections: Dispatcher;
  #inFlight = 0;

  /** @param onChange is called whenever the number has changed. */
  constructor(connections: Dispatcher, onChange: () => void) {
    const count = (change: number) => {
      this.#inFlight += change;
      onChange();
    };
    this.connections = connections.compose((dispatch) => (options, handler) => {
      if (options.method !== "POST") return dispatch(options, handler);
      count(1);
      return dispatch(
        options,
        new Counted(handler, () => {
          count(-1);
        }),
      );
    });
  }

  get inFlight(): number {
    return this.#inFlight;
  }
}

/** Passes everything on, and says once when it is over. */
class Counted implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  #over: (() => void) | undefined;

  constructor(handler: Dispatcher.DispatchHandler, over: () => void) {
    this.#handler = handler;
    this.#over = over;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#end();
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    this.#end();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.#handler.onResponseError?.(controller, error);
  }

  #end(): void {
    this.#over?.();
    this.#over = undefined;
  }
}
