import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";

export interface SocketServer {
  /** Takes no new connections. */
  stop(): void;
  /** Removes the socket at once, for an exit that waits for nothing. */
  remove(): void;
}

/** Serves an app on a Unix socket (or Windows named pipe) that only this user can open. */
export async function serveOnSocket(app: Hono<{ Bindings: HttpBindings }>, path: string): Promise<SocketServer> {
  const isPipe = path.startsWith("\\\\");
  const remove = () => {
    if (!isPipe) rmSync(path, { force: true });
  };
  // A worker that was killed leaves its socket behind, and its successor gets the same path.
  remove();
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  // Answers may take hours, and idle connections of the relay are closed by the relay.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.keepAliveTimeout = 0;
  const restore = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(restore);
  }
  if (!isPipe) chmodSync(path, 0o600);
  return {
    stop: () => {
      server.close();
      server.closeIdleConnections();
    },
    remove,
  };
}
