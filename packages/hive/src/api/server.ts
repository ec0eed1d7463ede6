import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { LoanTunnels } from "./loan-tunnels.ts";
import type { Relay } from "./relay.ts";

/** Answers that were cut off a moment ago are told why; streams without an end are not waited for longer than this. */
const lastWordsMs = 300;

/** The hive cannot listen; the message is one line that says why and what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** The HTTP server: requests for a worker go to the relay, connections for a loan to its process, the rest to the app. */
export class HiveServer {
  readonly #server: Server;

  constructor(app: Hono, relay: Relay, tunnels: LoanTunnels) {
    const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    this.#server = createServer(
      {
        keepAliveTimeout: 65_000,
        requestTimeout: 0,
        // Who offers another protocol beside HTTP, as some clients do with HTTP/2, is answered as usual.
        shouldUpgradeCallback: (request) => tunnels.isFor(request),
      },
      (request, response) => {
        if (!relay.handle(request, response)) void answer(request, response);
      },
    );
    this.#server.on("upgrade", (request, socket, head) => {
      tunnels.handle(request, socket, head);
    });
  }

  /**
   * Starts to listen and gives the port.
   * @throws {ListenError} when the port is taken or may not be used.
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(new ListenError(reasonOf(error, host, port)));
      });
      this.#server.listen({ host, port }, () => {
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no more connections and closes those that are open, once they had a moment to hear their last words. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const last = setTimeout(() => {
        this.#server.closeAllConnections();
      }, lastWordsMs);
      this.#server.close(() => {
        clearTimeout(last);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }
}

function reasonOf(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} is taken by another program; choose one with --port or RBEE_HIVE_PORT.`;
    case "EACCES":
      return `This user may not listen on port ${port}; choose one above 1023 with --port.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `This machine has no address ${host}; set --host to one of its own.`;
    default:
      return `The hive cannot listen on ${host} port ${port} (${error.code ?? "unknown error"}).`;
  }
}
