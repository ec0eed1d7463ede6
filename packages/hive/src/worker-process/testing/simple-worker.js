/**
 * A small program that speaks a worker's protocol and misbehaves on request: the tests' stand-in for a model.
 * Its first argument says how it lives, the header `x-wish` how it answers. It is plain JavaScript and imports
 * nothing but Node, so that a test that starts many is not slow.
 */
import { createServer } from "node:http";
import { parseArgs } from "node:util";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { WorkerCommand, WorkerMessage, WorkerProcessOptions } from "@rbee/contract" */

const { values, positionals } = parseArgs({ allowPositionals: true, options: { options: { type: "string" } } });
/** @type {WorkerProcessOptions} */
const options = JSON.parse(values.options ?? "");
const [life = "good"] = positionals;

/** @param {WorkerMessage} message */
const tell = (message) => process.send?.(message);
let running = 0;
let draining = false;

function goodbyeWhenDrained() {
  if (draining && running === 0) tell({ type: "drained" });
}

/** @param {number} change */
function count(change) {
  running += change;
  tell({ type: "activity", slots_busy: running, queued: 0, tokens_per_s: running });
  goodbyeWhenDrained();
}

/** @param {ServerResponse} response @param {string} text */
function event(response, text) {
  response.write(`data: ${JSON.stringify({ text })}\n\n`);
}

/** @param {IncomingMessage} request */
async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** @param {IncomingMessage} request @param {ServerResponse} response */
async function answer(request, response) {
  const body = await bodyOf(request);
  const { method, url, headers } = request;
  switch (headers["x-wish"]) {
    case "echo":
      response.writeHead(207, {
        "content-type": "application/json",
        "x-request-id": headers["x-request-id"] ?? "none",
      });
      response.end(JSON.stringify({ method, url, headers, body }));
      break;
    case "die before headers":
      process.kill(process.pid, "SIGKILL");
      break;
    case "die in stream":
    case "die in json": {
      const type = headers["x-wish"] === "die in json" ? "application/json" : "text/event-stream";
      response.writeHead(200, { "content-type": type });
      event(response, "first");
      setTimeout(() => process.kill(process.pid, "SIGKILL"), 20);
      break;
    }
    case "hold":
      response.writeHead(200, { "content-type": "text/event-stream" });
      event(response, "first");
      count(1);
      response.on("close", () => {
        count(-1);
      });
      break;
    default:
      response.writeHead(200, { "content-type": "text/event-stream" });
      event(response, "first");
      event(response, "second");
      response.end("data: [DONE]\n\n");
  }
}

function serve() {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(options.socket_path, () => {
    const { backend, device, slots } = options;
    tell({ type: "loading", progress: 1 });
    tell({ type: "ready", slots_total: slots, context_length: options.context_length ?? 1024, backend, device });
    if (life === "dies when ready") setTimeout(() => process.exit(7), 20);
  });
}

if (life !== "stubborn") process.on("disconnect", () => process.exit(0));
process.on("message", (/** @type {WorkerCommand} */ command) => {
  if (command.type === "threads") {
    process.stdout.write(`${command.threads} threads from now on\n`);
    return;
  }
  if (life === "deaf") return;
  draining = true;
  goodbyeWhenDrained();
});
process.stdout.write(`simple worker, ${life}, env ${process.env["UV_THREADPOOL_SIZE"] ?? ""}\n`);

switch (life) {
  case "exits":
    process.stderr.write("no such instruction set\n");
    process.exit(3);
    break;
  case "refuses": {
    const message = "The model is of an unknown kind.";
    tell({ type: "failed", error: { message, type: "server_error", param: null, code: "worker_spawn_failed" } });
    break;
  }
  case "never ready":
    tell({ type: "loading", progress: 0.5 });
    break;
  default:
    serve();
}
if (life === "stubborn") setInterval(() => {}, 1_000);
