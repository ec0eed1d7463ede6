/**
 * A small program that speaks a worker's protocol and has a fault: the tests' stand-in for a model in a household of
 * real processes. Its first argument says which. It is plain JavaScript and imports nothing but Node, so that many
 * start quickly.
 */
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { WorkerCommand, WorkerMessage, WorkerProcessOptions } from "@rbee/contract" */

const { values, positionals } = parseArgs({ allowPositionals: true, options: { options: { type: "string" } } });
/** @type {WorkerProcessOptions} */
const options = JSON.parse(values.options ?? "");
const [fault = "none"] = positionals;

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
  tell({ type: "activity", slots_busy: Math.min(running, options.slots), queued: 0, tokens_per_s: running });
  goodbyeWhenDrained();
}

/** @param {ServerResponse} response @param {string} content */
function chunk(response, content) {
  const choices = [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }];
  const head = { id: "chatcmpl-x", object: "chat.completion.chunk", created: 0, model: options.model };
  response.write(`data: ${JSON.stringify({ ...head, choices })}\n\n`);
}

/** Takes memory until the system has no more. */
function takeMemory() {
  /** @type {Buffer[]} */
  const taken = [];
  setInterval(() => taken.push(Buffer.alloc(32 * 1024 * 1024, 1)), 5);
}

/** @param {ServerResponse} response */
function talkForEver(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  count(1);
  const talking = setInterval(() => {
    chunk(response, "buzz ");
  }, 50);
  response.on("close", () => {
    clearInterval(talking);
    count(-1);
  });
}

/** @param {IncomingMessage} request @param {ServerResponse} response */
function answer(request, response) {
  request.resume();
  switch (fault) {
    case "is always full": {
      response.writeHead(503, { "content-type": "application/json", "retry-after": "2" });
      const message = "The worker's queue is full.";
      response.end(
        JSON.stringify({ error: { message, type: "server_error", param: null, code: "worker_busy", suggestion: "" } }),
      );
      break;
    }
    case "takes all memory":
      talkForEver(response);
      takeMemory();
      break;
    default:
      talkForEver(response);
  }
}

function serve() {
  const server = createServer(answer);
  server.listen(options.socket_path, () => {
    const { backend, device, slots } = options;
    tell({ type: "loading", progress: 1 });
    tell({ type: "ready", slots_total: slots, context_length: options.context_length ?? 1024, backend, device });
    if (fault === "dies once, then never starts") setTimeout(() => process.exit(7), 50);
  });
}

process.on("disconnect", () => {
  if (fault !== "does not listen") process.exit(0);
});
process.on("SIGTERM", () => {});
process.on("message", (/** @type {WorkerCommand} */ command) => {
  if (fault === "does not listen" || command.type !== "drain") return;
  draining = true;
  goodbyeWhenDrained();
});

const marker = `${options.socket_path}.was-here`;
const startedBefore = existsSync(marker);
if (fault === "dies once, then never starts") writeFileSync(marker, "");

if (fault === "never starts" || startedBefore) {
  process.stderr.write("llama_model_load: the roof is leaking\nllama_model_load: giving up\n");
  process.exit(3);
} else if (fault === "never gets ready") {
  tell({ type: "loading", progress: 0.5 });
  setInterval(() => {}, 60_000);
} else serve();
