import { createHash } from "node:crypto";
import { externalKindNames, RbeeError, type ExternalServer } from "@rbee/contract";
import { Pool } from "undici";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../log.ts";
import type { RunningServer } from "../engine.ts";
import { identify, look, type Identity, type Sight, type ToldModel } from "./looking.ts";
import { nameModels } from "./names.ts";
import type { Target } from "./targets.ts";
import { ExternalWorker } from "./worker.ts";

export interface ServerOptions {
  readonly target: Target;
  readonly hiveId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** So many looks in a row may see nothing before it counts as gone: a server that works hard may answer late. */
const missesUntilGone = 2;
/** While it has requests of ours, silence to other questions counts as work for this long. */
const workingSilenceMs = 60_000;
/** So often it is asked again what it is while it did not tell. */
const mostIdentifications = 12;
const connectLimitMs = 3_000;

/** An address and what answers there: nothing, or a server with its models as workers. */
export class WatchedServer {
  readonly #options: ServerOptions;
  readonly #workers = new Map<string, ExternalWorker>();
  #identity: Identity | null = null;
  #pool: Pool | undefined;
  #identified = 0;
  #misses = 0;
  #seenAt = 0;
  #looking: Promise<void> | undefined;
  #complained = "";

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Its models of now and of a while ago. */
  get workers(): ExternalWorker[] {
    return [...this.#workers.values()];
  }

  /** Whether a look that saw nothing has to be repeated soon to know more. */
  get isInDoubt(): boolean {
    return this.#identity !== null && this.#misses > 0;
  }

  /** As it is told to people; null while nothing answers there. */
  describe(): ExternalServer | null {
    if (this.#identity === null) return null;
    const models = this.workers.filter(({ isServed }) => isServed).map(({ model }) => model);
    return { ...this.#identity, name: this.name, address: this.#options.target.url, models: models.sort() };
  }

  /** As engines tell of servers; null while nothing answers there. */
  running(): RunningServer | null {
    if (this.#identity === null) return null;
    const { url } = this.#options.target;
    return {
      key: url,
      name: this.name,
      version: this.#identity.version,
      address: { kind: "http", origin: new URL(url).origin },
      models: this.workers.filter(({ isServed }) => isServed).map(({ source }) => source.model),
    };
  }

  get name(): string {
    return this.#options.target.name ?? externalKindNames[this.#identity?.kind ?? "openai-compatible"];
  }

  /** Looks now, or joins the look that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Forgets workers that ended before `before`, by the clock that never jumps. */
  prune(before: number): void {
    for (const [id, { endedAt }] of this.#workers) if (endedAt !== null && endedAt < before) this.#workers.delete(id);
  }

  /** Cuts off what is under way. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  async #lookOnce(): Promise<void> {
    const sight = await look(this.#options.target);
    if (sight.kind !== "models") {
      this.#missed(sight);
      return;
    }
    this.#misses = 0;
    this.#seenAt = this.#options.clock.monotonic();
    const before = this.#identity;
    // One that was slow to answer may not have told all of what it is.
    const isVague = before?.kind === "openai-compatible" && this.#identified < mostIdentifications;
    if (before === null || isVague) await this.#identify(sight.models);
    if (this.#identity === null) return;
    this.#take(sight.models);
    if (before?.kind !== this.#identity.kind) this.#announce(this.#identity);
  }

  async #identify(models: readonly ToldModel[]): Promise<void> {
    const before = this.#identity;
    this.#identified = before === null ? 1 : this.#identified + 1;
    this.#identity = await identify(this.#options.target, models);
    // They are known by what they were taken for.
    if (before !== null && this.#identity?.kind !== before.kind) this.#workers.clear();
  }

  #missed(sight: Exclude<Sight, { readonly kind: "models" }>): void {
    if (this.#identity === null) return;
    this.#misses += 1;
    const { clock, log, target } = this.#options;
    if (sight.kind === "nothing") {
      if (this.#misses < missesUntilGone) return;
      const working = (this.#pool?.stats.running ?? 0) > 0;
      if (working && clock.monotonic() - this.#seenAt < workingSilenceMs) return;
    }
    const { name } = this;
    const why = sight.kind === "refused" ? "nobody listens there any more" : sight.why;
    log.info({ address: target.url, name }, `${name} at ${target.url} is gone: ${why}.`);
    for (const worker of this.#workers.values())
      worker.end(
        new RbeeError("worker_not_found", `${name} does not answer any more: ${why}.`, {
          suggestion: `Start ${name} again on that machine; its models come back by themselves.`,
        }),
      );
    this.#identity = null;
    this.#misses = 0;
    // One that shuts down in good order finishes what it answers; one that is silent would never.
    if (sight.kind === "nothing") void this.close();
  }

  #take(models: readonly ToldModel[]): void {
    const identity = this.#identity;
    if (identity === null) return;
    const { target, hiveId, clock } = this.#options;
    const { named, leftOut } = nameModels(models);
    this.#complain(leftOut);
    const served = new Set<string>();
    for (const { id: model, told } of named) {
      const key = createHash("sha256")
        .update(JSON.stringify([hiveId, target.url, told.id]))
        .digest("hex");
      const id = `worker:ext-${key.slice(0, 20)}`;
      served.add(id);
      const known = this.#workers.get(id);
      if (known?.isServed === true) continue;
      const source = { kind: identity.kind, name: this.name, address: target.url, model: told.id };
      this.#workers.set(
        id,
        new ExternalWorker({ id, model, source, contextLength: told.contextLength, server: this, clock }),
      );
    }
    for (const [id, worker] of this.#workers)
      if (!served.has(id) && worker.isServed)
        worker.end(new RbeeError("worker_not_found", `${this.name} does not have ${worker.source.model} any more.`));
  }

  /** Connections to it, for requests; opened when they are used. */
  connections(): Pool {
    this.#pool ??= new Pool(new URL(this.#options.target.url).origin, {
      connections: null,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: connectLimitMs },
    });
    return this.#pool;
  }

  /** What stands before the path of every request. */
  get basePath(): string {
    return new URL(this.#options.target.url).pathname.replace(/\/$/u, "");
  }

  #announce({ kind, version }: Identity): void {
    const { log, target } = this.#options;
    const { models = [] } = this.describe() ?? {};
    log.info(
      { address: target.url, kind, version, models },
      `Found ${this.name}${version === null ? "" : ` ${version}`} at ${target.url} with ${models.length} model${models.length === 1 ? "" : "s"}.`,
    );
  }

  #complain(leftOut: readonly string[]): void {
    const list = JSON.stringify(leftOut.slice(0, 10));
    if (this.#complained === list) return;
    this.#complained = list;
    if (leftOut.length > 0)
      this.#options.log.warn(
        { address: this.#options.target.url },
        `${leftOut.length} of ${this.name}'s models cannot be offered by their names: ${list.slice(0, 300)}.`,
      );
  }
}
