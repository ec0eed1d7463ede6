import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What the server does otherwise than a good one. The first ones concern everything, the others its answers. */
export type Misbehaviour =
  | "garbage"
  | "html"
  | "unauthorized"
  | "redirect"
  | "endless"
  | "hang"
  | "dies before its answer"
  | "dies in its answer"
  | "tells an error in its answer"
  | "forgets the end"
  | "counts nothing"
  | "says what is no answer"
  | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> };

/** A request that it got for an answer. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** A small real server that speaks like Ollama, or like nobody in particular. */
export interface ExternalServer {
  readonly url: string;
  readonly asked: readonly Asked[];
  models: string[];
  /** Whether it says that it is an Ollama. */
  isOllama: boolean;
  misbehaves: Misbehaviour | null;
  /** Milliseconds between two words. */
  paceMs: number;
  /** How many answers it is giving. */
  readonly answering: number;
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
}

/** What it answers to everything. */
export const externalAnswer = "Bees make honey, and this one is not ours.";
const usage = { prompt_tokens: 12, completion_tokens: 9, total_tokens: 21 };

const json = (response: ServerResponse, value: unknown, status = 200, headers: Record<string, string> = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const part of request.setEncoding("utf8") as AsyncIterable<string>) text += part;
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

class SmallServer implements ExternalServer {
  readonly asked: Asked[] = [];
  models: string[];
  misbehaves: Misbehaviour | null = null;
  paceMs = 0;
  answering = 0;
  isOllama: boolean;
  #server: Server | undefined;
  #port = 0;

  constructor(models: readonly string[], ollama: boolean) {
    this.models = [...models];
    this.isOllama = ollama;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { misbehaves } = this;
    const path = request.url ?? "";
    switch (misbehaves) {
      case "hang":
        return;
      case "garbage":
        response.writeHead(200, { "content-type": "application/json" }).end('{"data": [{"id": 7}], ');
        return;
      case "html":
        response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Hello</title>");
        return;
      case "unauthorized":
        json(response, { error: "who are you?" }, 401);
        return;
      case "redirect":
        response.writeHead(302, { location: "http://127.0.0.1:9/v1/models" }).end();
        return;
      case "endless": {
        response.writeHead(200, { "content-type": "application/json" });
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", more);
        more();
        return;
      }
      default:
    }
    if (request.method === "GET") this.#tell(path, response);
    else {
      const body = await bodyOf(request);
      this.asked.push({ path, headers: request.headers, body });
      this.answering += 1;
      response.once("close", () => {
        this.answering -= 1;
      });
      await this.#generate(path, body, response);
    }
  }

  #tell(path: string, response: ServerResponse): void {
    if (path === "/api/version" && this.isOllama) json(response, { version: "0.9.1" });
    else if (path === "/v1/models")
      json(response, {
        object: "list",
        data:
          this.models.length === 0
            ? null
            : this.models.map((id) => ({ id, object: "model", created: 1, owned_by: "library" })),
      });
    else response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
  }

  async #generate(path: string, body: Record<string, unknown>, response: ServerResponse): Promise<void> {
    const { misbehaves } = this;
    const { model } = body;
    if (misbehaves === "dies before its answer") {
      response.destroy();
      return;
    }
    if (misbehaves === "says what is no answer") {
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>It works!</h1>");
      return;
    }
    if (typeof misbehaves === "object" && misbehaves !== null) {
      const { status, body: text, headers } = misbehaves;
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
      return;
    }
    if (typeof model !== "string" || !this.models.includes(model)) {
      const message = `model "${String(model)}" not found, try pulling it first`;
      json(response, { error: { message, type: "not_found_error", param: null, code: null } }, 404);
      return;
    }
    const counted = misbehaves === "counts nothing" ? {} : { usage };
    if (path === "/v1/embeddings")
      json(response, {
        object: "list",
        model,
        data: [{ object: "embedding", index: 0, embedding: [0.6, 0.8] }],
        ...counted,
      });
    else if (path === "/v1/completions")
      json(response, {
        ...{ id: "cmpl-1", object: "text_completion", created: 1, model, system_fingerprint: "fp_ollama" },
        choices: [{ index: 0, text: externalAnswer, finish_reason: "stop" }],
        ...counted,
      });
    else if (path !== "/v1/chat/completions") response.writeHead(404).end("404 page not found");
    else if (body["stream"] === true) await this.#stream(model, body, response);
    else
      json(response, {
        ...{ id: "chatcmpl-1", object: "chat.completion", created: 1, model, system_fingerprint: "fp_ollama" },
        choices: [{ index: 0, message: { role: "assistant", content: externalAnswer }, finish_reason: "stop" }],
        ...counted,
      });
  }

  async #stream(model: string, body: Record<string, unknown>, response: ServerResponse): Promise<void> {
    const { misbehaves } = this;
    response.writeHead(200, { "content-type": "text/event-stream" });
    const head = {
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model,
      system_fingerprint: "fp_ollama",
    };
    const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
    for (const [index, word] of externalAnswer.split(/(?<= )/u).entries()) {
      if (index === 3 && misbehaves === "dies in its answer") {
        response.destroy();
        return;
      }
      if (index === 3 && misbehaves === "tells an error in its answer") {
        response.end(
          `data: ${JSON.stringify({ error: { message: "the runner has crashed", type: "api_error" } })}\n\n`,
        );
        return;
      }
      send({ ...head, choices: [{ index: 0, delta: { role: "assistant", content: word }, finish_reason: null }] });
      if (this.paceMs > 0) await new Promise((resolve) => setTimeout(resolve, this.paceMs));
      if (response.destroyed) return;
    }
    send({ ...head, choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: "stop" }] });
    const wanted = body["stream_options"] as { include_usage?: boolean } | undefined;
    if (wanted?.include_usage === true && misbehaves !== "counts nothing") send({ ...head, choices: [], usage });
    response.end(misbehaves === "forgets the end" ? "" : "data: [DONE]\n\n");
  }
}

/** Starts one on a free port; its owner stops it. @param ollama whether it says that it is one */
export async function startExternalServer(models: readonly string[], { ollama = true } = {}): Promise<ExternalServer> {
  const server = new SmallServer(models, ollama);
  await server.start();
  return server;
}
