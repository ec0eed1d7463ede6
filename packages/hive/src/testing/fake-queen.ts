import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Received {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

type Answer = { status: number; body: unknown } | "never";

/** A small real server in the queen's place; it answers as it is told and remembers what it was sent. */
export class FakeQueen {
  readonly received: Received[] = [];
  answer: Answer = { status: 200, body: { ok: true } };
  connections = 0;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<FakeQueen> {
    const queen = new FakeQueen();
    await queen.listen();
    onTestFinished(() => queen.close());
    return queen;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Comes (back) at the same port. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        this.received.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
        if (this.answer === "never") return;
        response.writeHead(this.answer.status, { "content-type": "application/json" });
        response.end(JSON.stringify(this.answer.body));
      });
    });
    server.on("connection", () => {
      this.connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
