import { RbeeError, type Worker, type WorkerCheck, type WorkerSpawn } from "@rbee/contract";
import type { WorkerAddress } from "../api/relay.ts";
import type { WorkerFacts } from "../telemetry/sampler.ts";
import type { Supervisor } from "../worker-process/supervisor.ts";
import type { ExternalServers } from "./external/servers.ts";

/** How long a broken connection may be ahead of the news that the process behind it has ended. */
const deathLimitMs = 200;

/** Everything on this hive that answers for a model: the workers it started, and models of servers it found. */
export class HiveWorkers {
  readonly #own: Supervisor;
  readonly #external: ExternalServers;

  constructor(own: Supervisor, external: ExternalServers) {
    this.#own = own;
    this.#external = external;
  }

  list(): Worker[] {
    return [...this.#own.list(), ...this.#external.workers().map((worker) => worker.snapshot())];
  }

  /** For a heartbeat. A model that an external server does not serve any more stays for a while, with the reason. */
  facts(): WorkerFacts[] {
    return [...this.#own.facts(), ...this.#external.workers().map((worker) => worker.facts())];
  }

  /** The worker after at most `waitMs`, or as soon as it has loaded. @throws {RbeeError} `worker_not_found`. */
  async get(id: string, waitMs: number): Promise<Worker> {
    const external = this.#external.find(id);
    if (external !== undefined) return external.snapshot();
    const worker = this.#own.get(id);
    await worker.settled(waitMs);
    return worker.snapshot();
  }

  /** @throws {RbeeError} `worker_not_found`. */
  check(id: string): Promise<WorkerCheck> {
    return (this.#external.find(id) ?? this.#own.get(id)).check();
  }

  /**
   * Starts a worker of a model that this hive has.
   * @throws {RbeeError} as `Supervisor.spawn`; `invalid_request` for a model that only an external server has.
   */
  async spawn(request: WorkerSpawn): Promise<Worker> {
    try {
      return await this.#own.spawn(request);
    } catch (error) {
      const external = this.#external.workers().find(({ isServed, model }) => isServed && model === request.model);
      if (external !== undefined && error instanceof RbeeError && error.code === "model_not_found") external.stop();
      throw error;
    }
  }

  /** Lets a worker finish, then ends it. @throws {RbeeError} `worker_not_found`, `invalid_request` for an external one. */
  async stop(id: string, drainMs: number): Promise<void> {
    this.#external.find(id)?.stop();
    await this.#own.get(id).stop(drainMs);
  }

  /** Where a worker writes its log. @throws {RbeeError} `worker_not_found`. */
  logPath(id: string): string {
    const external = this.#external.find(id);
    if (external !== undefined)
      throw new RbeeError("worker_not_found", `${external.source.name} keeps its own log, which rbee does not read.`, {
        suggestion: `Look for it on that machine.`,
      });
    return this.#own.logPath(id);
  }

  /** Whether it may be given a person's key for parked conversations; a server of others never. */
  mayHaveParkingKey(id: string): boolean {
    return this.#external.find(id) === undefined && this.#own.mayHaveParkingKey(id);
  }

  /** Where a request for a worker goes. @throws {RbeeError} why there is no such place now. */
  address(id: string): WorkerAddress {
    return (
      this.#external.find(id)?.address() ?? {
        connections: this.#own.get(id).connections(),
        basePath: "",
        stranger: false,
      }
    );
  }

  /** Why an answer was cut off; null when nobody knows. @throws {RbeeError} `worker_not_found`. */
  diedOf(id: string): Promise<RbeeError | null> {
    return this.#external.find(id)?.diedOf() ?? this.#own.get(id).diedOf(deathLimitMs);
  }
}
