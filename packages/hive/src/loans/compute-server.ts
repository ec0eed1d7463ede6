import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { RbeeError, type Backend } from "@rbee/contract";
import { workerEnvironment } from "../engines/environment.ts";
import { spawnGuarded } from "../engines/guarded-process.ts";
import type { WorkerLogFile } from "../worker-process/log-file.ts";
import { firstDevice } from "./device-names.ts";

export interface ComputeServerOptions {
  /** Path of `ggml-rpc-server`. */
  readonly program: string;
  readonly backend: Backend;
  /** What lets the process see its device and no other. */
  readonly env: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly log: WorkerLogFile;
  /** Called once, when it ends by itself after it has started. */
  readonly onEnd: (reason: string) => void;
}

const loopback = "127.0.0.1";
const startLimitMs = 15_000;
const knockEveryMs = 20;
/** Another program may take the port between our choosing it and the process's listening there. */
const tries = 3;
/** It says so when it takes a connection: proof that it is the one that listens there. */
const accepted = "Accepted client connection";

/**
 * A `ggml-rpc-server`: it computes for whoever connects, which it does not check, so it listens on loopback alone and
 * only for as long as it is needed. It serves one connection at a time.
 */
export class ComputeServer {
  readonly #process: ChildProcess;
  readonly #port: number;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.#port = port;
  }

  /** Starts one and waits until it listens. @throws {RbeeError} `worker_spawn_failed`. */
  static async start(options: ComputeServerOptions): Promise<ComputeServer> {
    let failure = "";
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const outcome = await ComputeServer.#try(options, await freePort());
      if (typeof outcome !== "string") return outcome;
      failure = outcome;
    }
    const lines = options.log.lastLines(3);
    throw new RbeeError("worker_spawn_failed", `ggml-rpc-server did not start (${failure}).`, {
      details: { reason: failure, last_lines: lines },
      suggestion: "Look into the loan's log on that machine, and check that it is built for that device.",
    });
  }

  static async #try(options: ComputeServerOptions, port: number): Promise<ComputeServer | string> {
    const { program, backend, env, threads, log, onEnd } = options;
    let ended: string | undefined;
    let listens = false;
    let started = false;
    const child = spawnGuarded(
      program,
      [
        ...["--host", loopback, "--port", String(port)],
        ...["--threads", String(threads), "--device", firstDevice[backend]],
      ],
      workerEnvironment({ GGML_RPC_NO_RDMA: "1", ...env }),
    );
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        log.write(chunk);
        listens ||= chunk.includes(accepted);
      });
    const end = (reason: string) => {
      if (ended !== undefined) return;
      ended = reason;
      if (started) onEnd(reason);
    };
    child.on("error", () => {
      if (child.pid === undefined) end("not started");
    });
    child.on("exit", (code, signal) => {
      end(signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`);
    });
    const limit = performance.now() + startLimitMs;
    while (!listens && ended === undefined && performance.now() < limit) await knock(port);
    if (listens && ended === undefined) {
      started = true;
      return new ComputeServer(child, port);
    }
    child.kill("SIGKILL");
    return ended ?? `it did not listen within ${startLimitMs / 1_000} s`;
  }

  get pid(): number | null {
    return this.#process.pid ?? null;
  }

  /** A connection to it, which may still be on its way. */
  connect(): Socket {
    return connect({ host: loopback, port: this.#port, noDelay: true });
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, loopback);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Connects for a moment. */
async function knock(port: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect({ host: loopback, port });
    socket.on("connect", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => setTimeout(resolve, knockEveryMs));
  });
}
