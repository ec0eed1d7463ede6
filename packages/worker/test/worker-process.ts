import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  chatChunkSchema,
  workerMessageSchema,
  type ChatChunk,
  type ChatRequest,
  type WorkerMessage,
  type WorkerProcessOptions,
} from "@rbee/contract";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
export const demoModel = fileURLToPath(new URL("../../../models/bee-tiny/bee-tiny-q8_0.gguf", import.meta.url));

export type ChatBody = Partial<ChatRequest> & Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A stream as a test sees it: chunks as they come, and the raw text at the end. */
export interface ChatStream {
  readonly headers: IncomingMessage["headers"];
  chunks(): AsyncGenerator<ChatChunk, void>;
  raw(): string;
  abort(): void;
}

export interface TestWorker {
  readonly child: ChildProcess;
  readonly socketPath: string;
  readonly messages: WorkerMessage[];
  readonly output: () => string;
  readonly exited: Promise<number | null>;
  message<T extends WorkerMessage["type"]>(type: T): Promise<Extract<WorkerMessage, { type: T }>>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  chat(body: ChatBody): Promise<Answer>;
  stream(body: ChatBody): Promise<ChatStream>;
  /** The whole text of a streamed answer. */
  text(body: ChatBody): Promise<string>;
  stop(): Promise<void>;
}

/** Waits until a condition holds, at most `limitMs`. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs = 8000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Everything that a stream gives until it ends. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const question = (body: ChatBody) => ({
  model: "bee-tiny",
  messages: [{ role: "user", content: "Who are you?" }],
  ...body,
});

/** Starts a real worker process with the demo model on a socket of its own. */
export function startWorker(
  options: Partial<WorkerProcessOptions> = {},
  spawnOptions: { ipc?: boolean } = {},
): TestWorker {
  const folder = mkdtempSync(join(tmpdir(), "rbee-worker-"));
  const socketPath = join(folder, "worker.sock");
  const settings: WorkerProcessOptions = {
    worker_id: "worker:test",
    speculation: "auto",
    model: "bee-tiny",
    model_path: demoModel,
    socket_path: socketPath,
    backend: "cpu",
    device: "cpu",
    slots: 4,
    threads: 1,
    queue_limit: 64,
    ...options,
  };
  const ipc = spawnOptions.ipc ?? true;
  const child = spawn(process.execPath, [main, "--options", JSON.stringify(settings)], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
    stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data: Buffer) => (output += data.toString()));
  const messages: WorkerMessage[] = [];
  child.on("message", (value) => messages.push(workerMessageSchema.parse(value)));
  const exited = new Promise<number | null>((resolve) =>
    child.once("exit", (code) => {
      resolve(code);
    }),
  );

  const send = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const call = request({ socketPath, method, path, agent: false, headers }, resolve);
      call.on("error", reject);
      if (body !== undefined) call.setHeader("content-type", "application/json");
      call.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
    });

  const worker: TestWorker = {
    child,
    socketPath,
    messages,
    output: () => output,
    exited,
    async message(type) {
      const find = () => messages.find((message) => message.type === type);
      await until(`the message ${type} (${output})`, () => find() !== undefined, 20_000);
      return find() as never;
    },
    async call(method, path, body, headers) {
      const response = await send(method, path, body, headers);
      let text = "";
      for await (const data of response.setEncoding("utf8")) text += String(data);
      return { status: response.statusCode ?? 0, headers: response.headers, body: text };
    },
    chat: (body) => worker.call("POST", "/v1/chat/completions", question(body)),
    async stream(body) {
      const response = await send("POST", "/v1/chat/completions", question({ stream: true, ...body }));
      let raw = "";
      return {
        headers: response.headers,
        raw: () => raw,
        abort: () => response.destroy(),
        async *chunks() {
          let rest = "";
          for await (const data of response.setEncoding("utf8")) {
            raw += String(data);
            const events = (rest + String(data)).split("\n\n");
            rest = events.pop() ?? "";
            for (const event of events) {
              if (!event.startsWith("data: ") || event === "data: [DONE]") continue;
              yield chatChunkSchema.parse(JSON.parse(event.slice(6)));
            }
          }
        },
      };
    },
    async text(body) {
      let text = "";
      for await (const chunk of (await worker.stream(body)).chunks()) text += chunk.choices[0]?.delta.content ?? "";
      return text;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return worker;
}

/** Starts a worker and waits until its model is loaded. */
export async function readyWorker(options: Partial<WorkerProcessOptions> = {}): Promise<TestWorker> {
  const worker = startWorker(options);
  await worker.message("ready");
  return worker;
}
