import { RbeeError, type ErrorBody, type ExternalSource, type Worker, type WorkerCheck } from "@rbee/contract";
import type { Clock } from "../../clock.ts";
import type { WorkerFacts } from "../../telemetry/sampler.ts";
import type { WorkerAddress } from "../../api/relay.ts";
import type { WatchedServer } from "./server.ts";

export interface ExternalWorkerOptions {
  readonly id: string;
  /** By its name in the household. */
  readonly model: string;
  readonly source: ExternalSource;
  readonly contextLength: number | null;
  readonly server: WatchedServer;
  readonly clock: Clock;
}

/** One model of a server that somebody else runs. It is used; it is neither started nor stopped. */
export class ExternalWorker {
  readonly id: string;
  readonly model: string;
  readonly source: ExternalSource;
  readonly #options: ExternalWorkerOptions;
  readonly #since: number;
  #end: { readonly at: number; readonly error: ErrorBody["error"] } | null = null;

  constructor(options: ExternalWorkerOptions) {
    this.id = options.id;
    this.model = options.model;
    this.source = options.source;
    this.#options = options;
    this.#since = options.clock.now();
  }

  get isServed(): boolean {
    return this.#end === null;
  }

  /** When its server stopped serving it, by the clock that never jumps; null while it serves it. */
  get endedAt(): number | null {
    return this.#end?.at ?? null;
  }

  /** Its server has gone, or has it no more. */
  end(reason: RbeeError): void {
    this.#end ??= { at: this.#options.clock.monotonic(), error: reason.toBody().error };
  }

  snapshot(): Worker {
    return {
      worker_id: this.id,
      model: this.model,
      engine: "external",
      backend: null,
      device: null,
      state: this.isServed ? "ready" : "stopped",
      pid: null,
      load_progress: null,
      context_length: this.#options.contextLength,
      slots_total: null,
      slots_busy: null,
      queued: null,
      started_at: this.#since,
      ready_at: this.#since,
      restarts: 0,
      error: this.#end?.error ?? null,
      external: this.source,
    };
  }

  /** What a heartbeat tells of it. */
  facts(): WorkerFacts {
    const { started_at: _, ready_at: __, ...told } = this.snapshot();
    const uptime_s = Math.max(0, (this.#options.clock.now() - this.#since) / 1_000);
    return { ...told, uptime_s, tokens_per_s: null, idle_s: null, stops_in_s: null };
  }

  /** Whether its server answers now. */
  async check(): Promise<WorkerCheck> {
    const askedAt = performance.now();
    await this.#options.server.look();
    const answered = this.isServed && !this.#options.server.isInDoubt;
    return {
      worker: this.snapshot(),
      answered_in_ms: answered ? Math.round(performance.now() - askedAt) : null,
      problem: answered ? null : (this.#end?.error.message ?? `${this.source.name} does not answer in time.`),
    };
  }

  /** Where its requests go. @throws {RbeeError} `worker_not_found` when its server does not serve it any more. */
  address(): WorkerAddress {
    if (this.#end !== null) throw RbeeError.fromBody({ error: this.#end.error }, "worker_not_found");
    const { server } = this.#options;
    return { connections: server.connections(), basePath: server.basePath, stranger: true };
  }

  /** Why an answer of it was cut off, after a look at its server. */
  async diedOf(): Promise<RbeeError> {
    await this.#options.server.look();
    const { name } = this.source;
    return new RbeeError(
      "worker_crashed",
      this.isServed
        ? `${name} ended the connection before its answer was complete.`
        : `${name} does not answer any more.`,
      { suggestion: `Look into the log of ${name} on that machine.` },
    );
  }

  /** @throws {RbeeError} `invalid_request`, always. */
  stop(): never {
    throw new RbeeError(
      "invalid_request",
      `${this.model} is served by ${this.source.name} at ${this.source.address ?? "its address"}: rbee neither starts nor stops it.`,
      { suggestion: `Stop ${this.source.name} on that machine, or leave it out with RBEE_EXTERNAL_SERVERS.` },
    );
  }
}
