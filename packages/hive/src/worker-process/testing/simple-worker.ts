/**
 * A small program that speaks a worker's protocol and misbehaves on request: the tests' stand-in for a model.
 * Its first argument says how it lives, the text of a chat how it answers.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";
import { workerProcessOptionsSchema, type WorkerMessage } from "@rbee/contract";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { options: { type: "string" } } });
const options = workerProcessOptionsSchema.parse(JSON.parse(values.options ?? ""));
const [life = "good"] = positionals;

const tell = (message: WorkerMessage) => process.send?.(message);
let running = 0;
let draining = false;

function goodbyeWhenDrained(): void {
  if (!draining || running > 0) return;
  tell({ type: "drained" });
}

function event(response: ServerResponse, text: string): void {
  response.write(`data: ${JSON.stringify({ text })}\n\n`);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const wish = request.headers["x-wish"];
  if (wish === "echo") {
    response.writeHead(207, { "content-type": "application/json", "x-request-id": request.headers["x-request-id"] });
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
    return;
  }
  if (wish === "die before headers") process.kill(process.pid, "SIGKILL");
  response.writeHead(200, { "content-type": wish === "die in json" ? "application/json" : "text/event-stream" });
  event(response, "first");
  if (wish === "die in stream" || wish === "die in json") {
    setTimeout(() => {
      process.kill(process.pid, "SIGKILL");
    }, 20);
    return;
  }
  if (wish === "hold") {
    running += 1;
    tell({ type: "activity", slots_busy: running, queued: 0, tokens_per_s: 1 });
    request.socket.on("close", () => {
      running -= 1;
      tell({ type: "activity", slots_busy: running, queued: 0, tokens_per_s: 0 });
      goodbyeWhenDrained();
    });
    return;
  }
  event(response, "second");
  response.end("data: [DONE]\n\n");
}

process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  if (life === "deaf") return;
  draining = true;
  goodbyeWhenDrained();
});
process.stdout.write(`simple worker, ${life}, env ${process.env["UV_THREADPOOL_SIZE"] ?? ""}\n`);

switch (life) {
  case "exits": {
    process.stderr.write("no such instruction set\n");
    process.exit(3);
    break;
  }
  case "refuses":
    tell({
      type: "failed",
      error: {
        message: "The model is of an unknown kind.",
        type: "server_error",
        param: null,
        code: "worker_spawn_failed",
      },
    });
    break;
  case "never ready":
    tell({ type: "loading", progress: 0.5 });
    break;
  default: {
    const server = createServer((request, response) => void answer(request, response));
    server.listen(options.socket_path, () => {
      tell({ type: "loading", progress: 1 });
      const { backend, device, slots } = options;
      tell({ type: "ready", slots_total: slots, context_length: options.context_length ?? 1024, backend, device });
      if (life === "dies when ready") setTimeout(() => process.exit(7), 20);
    });
  }
}
// Whatever the socket does, the channel decides how long this process lives.
setInterval(() => {}, 1_000);
