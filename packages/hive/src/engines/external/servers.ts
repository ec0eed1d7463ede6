import type { ExternalServer } from "@rbee/contract";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../log.ts";
import type { FindingEngine, Fingerprint, RunningServer } from "../engine.ts";
import { WatchedServer } from "./server.ts";
import type { Target } from "./targets.ts";
import type { ExternalWorker } from "./worker.ts";

export interface ExternalServersOptions {
  readonly targets: readonly Target[];
  readonly hiveId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const lookEveryMs = 5_000;
/** One that was there a moment ago is looked at again sooner. */
const lookAgainMs = 1_500;
/** A model that is gone stays in the list this long, so that people can read why. */
const keepEndedMs = 5 * 60_000;
/** Together with the workers of this hive's own they must fit into a heartbeat. */
const mostWorkers = 150;

/** The servers of others on this machine: looked for again and again, used, never started or stopped. */
export class ExternalServers implements FindingEngine {
  readonly kind = "finds";
  readonly name = "external";
  readonly #options: ExternalServersOptions;
  readonly #servers: readonly WatchedServer[];
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ExternalServersOptions) {
    this.#options = options;
    const { hiveId, clock, log } = options;
    this.#servers = options.targets.map((target) => new WatchedServer({ target, hiveId, clock, log }));
  }

  fingerprint(): Promise<Fingerprint> {
    const where = this.describe().map(({ name, address }) => `${name} at ${address ?? ""}`);
    if (where.length > 0) return Promise.resolve({ usable: true, version: null, where: where.join(", ") });
    const reason =
      this.#servers.length === 0
        ? "RBEE_EXTERNAL_SERVERS switches it off."
        : "No server of another program answers where they usually do.";
    return Promise.resolve({ usable: false, where: null, reason });
  }

  recover(): Promise<readonly RunningServer[]> {
    return Promise.resolve(this.#servers.flatMap((server) => server.running() ?? []));
  }

  /** Begins to look. */
  start(): void {
    if (this.#servers.length > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#servers.map((server) => server.close()));
    await this.#running;
  }

  /** Those that answer now. */
  describe(): ExternalServer[] {
    return this.#servers.flatMap((server) => server.describe() ?? []);
  }

  /** Their models, also those that are gone since a while. */
  workers(): ExternalWorker[] {
    const before = this.#options.clock.monotonic() - keepEndedMs;
    for (const server of this.#servers) server.prune(before);
    return this.#servers
      .flatMap(({ workers }) => workers)
      .sort((a, b) => Number(b.isServed) - Number(a.isServed))
      .slice(0, mostWorkers);
  }

  find(workerId: string): ExternalWorker | undefined {
    return this.workers().find(({ id }) => id === workerId);
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await Promise.all(this.#servers.map((server) => server.look()));
      const isInDoubt = this.#servers.some((server) => server.isInDoubt);
      await clock.sleep(isInDoubt ? lookAgainMs : lookEveryMs, signal);
    }
  }
}
