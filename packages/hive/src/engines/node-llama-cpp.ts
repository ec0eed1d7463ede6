import { spawn, type ChildProcess } from "node:child_process";
import { workerMessageSchema, type WorkerCommand } from "@rbee/contract";
import type { Dispatcher } from "undici";
import { openConnections } from "./connections.ts";
import { tellEnd } from "./ending.ts";
import type { EngineEvents, EngineProcess, Launch, StartingEngine } from "./engine.ts";
import { workerEnvironment } from "./environment.ts";

/**
 * Our own worker program with the engine inside; it is always there.
 * @param command program and first arguments of a worker process.
 */
export function nodeLlamaCpp(command: readonly string[]): StartingEngine {
  return {
    kind: "starts",
    name: "node-llama-cpp",
    fingerprint: () => Promise.resolve({ usable: true, version: null, where: null }),
    start: (launch, events) => new OwnWorker(command, launch, events),
  };
}

/** One worker process and the channel to it. It lives in a process group of its own, so that Ctrl-C reaches only us. */
class OwnWorker implements EngineProcess {
  readonly connections: Dispatcher;
  readonly #child: ChildProcess;
  #ended = false;

  constructor(command: readonly string[], { options, env, log }: Launch, events: EngineEvents) {
    const [program = process.execPath, ...args] = command;
    this.connections = openConnections({ kind: "socket", path: options.socket_path });
    const child = spawn(program, [...args, "--options", JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // With the default pool of four, Node's own threads and the engine's get into each other's way.
      env: { ...workerEnvironment(env), UV_THREADPOOL_SIZE: "1" },
      detached: true,
    });
    this.#child = child;
    child.stdout?.on("data", log);
    child.stderr?.on("data", log);
    child.on("message", (value) => {
      const parsed = workerMessageSchema.safeParse(value);
      if (parsed.success) events.message(parsed.data);
      else log(`hive: message outside the protocol: ${JSON.stringify(value).slice(0, 500)}\n`);
    });
    tellEnd(child, events, () => {
      this.#ended = true;
    });
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  useThreads(threads: number): void {
    this.#tell({ type: "threads", threads });
  }

  drain(limitMs: number): void {
    this.#tell({ type: "drain", limit_ms: limitMs });
  }

  #tell(command: WorkerCommand): void {
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  /** Closes the channel, which ends a worker that still listens to it. */
  leave(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  kill(): void {
    if (!this.#ended) this.#child.kill("SIGKILL");
  }
}
