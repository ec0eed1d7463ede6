import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A real HTTP server that answers a few of the queen's endpoints, by `METHOD path`. */
export interface SmallQueen {
  readonly url: string;
  readonly port: number;
  readonly handlers: Map<string, Handler>;
  /** Every request so far, as `METHOD path`. */
  readonly seen: string[];
  close(): Promise<void>;
}

export const json =
  (status: number, value: unknown): Handler =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };

export async function startSmallQueen(): Promise<SmallQueen> {
  const handlers = new Map<string, Handler>();
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const name = `${request.method ?? ""} ${request.url ?? ""}`;
      seen.push(name);
      const missing = { error: { message: `No ${name}.`, type: "x", param: null, code: "not_found" } };
      (handlers.get(name) ?? json(404, missing))(request, response, body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    handlers,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
