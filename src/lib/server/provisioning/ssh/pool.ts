import { RbeeError } from "@rbee/contract";
import { connect, type ConnectOptions } from "./connect.ts";
import type { SshConnection } from "./connection.ts";
import { targetKey, type SshTarget } from "./target.ts";

export interface PoolOptions {
  /** How long a connection that nobody uses stays open, 30 s by default. */
  readonly idleMs?: number | undefined;
}

interface Entry {
  readonly connecting: Promise<SshConnection>;
  users: number;
  idle: NodeJS.Timeout | null;
}

/** One connection per host, shared by everything that happens there at the same time. */
export class SshPool {
  readonly #entries = new Map<string, Entry>();
  readonly #idleMs: number;

  constructor({ idleMs = 30_000 }: PoolOptions = {}) {
    this.#idleMs = idleMs;
  }

  /** How many connections are open or being opened. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Gives `work` a connection to the host: the open one when there is one that lives, else a new one.
   * @throws what `connect` and `work` throw
   */
  async use<T>(
    target: SshTarget,
    options: ConnectOptions,
    work: (connection: SshConnection) => Promise<T>,
  ): Promise<T> {
    const { entry, connection } = await this.#acquire(target, options);
    try {
      return await work(connection);
    } finally {
      this.#release(targetKey(target), entry);
    }
  }

  /** Closes every connection; work that still goes on there fails with `ssh_connection_lost`. */
  async close(): Promise<void> {
    const open = await Promise.allSettled([...this.#entries.values()].map(async (entry) => entry.connecting));
    this.#entries.clear();
    await Promise.all(
      open.map(async (result) => {
        if (result.status !== "fulfilled") return;
        result.value.end();
        await result.value.closed;
      }),
    );
  }

  async #acquire(target: SshTarget, options: ConnectOptions): Promise<{ entry: Entry; connection: SshConnection }> {
    const key = targetKey(target);
    for (;;) {
      const known = this.#entries.get(key);
      const entry = known ?? this.#open(key, target, options);
      entry.users += 1;
      if (entry.idle !== null) clearTimeout(entry.idle);
      entry.idle = null;
      try {
        const connection = await abortable(entry.connecting, options.signal);
        if (connection.alive) return { entry, connection };
        this.#forget(key, entry);
      } catch (error) {
        this.#release(key, entry);
        // Somebody else's attempt failed by their secrets or their cancelling: ours may still succeed.
        if (known === undefined || options.signal?.aborted === true || !isTheirs(error)) throw error;
      }
    }
  }

  #open(key: string, target: SshTarget, options: ConnectOptions): Entry {
    const entry: Entry = { connecting: connect(target, options), users: 0, idle: null };
    this.#entries.set(key, entry);
    entry.connecting.then(
      (connection) => void connection.closed.then(() => this.#forget(key, entry)),
      () => this.#forget(key, entry),
    );
    return entry;
  }

  #release(key: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0 || this.#entries.get(key) !== entry) return;
    entry.idle = setTimeout(() => {
      this.#forget(key, entry);
      void entry.connecting.then(
        (connection) => connection.end(),
        () => {},
      );
    }, this.#idleMs);
    entry.idle.unref();
  }

  #forget(key: string, entry: Entry): void {
    if (entry.idle !== null) clearTimeout(entry.idle);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }
}

/** What holds for everybody who wants to reach that host; the rest is due to one caller's secrets or cancelling. */
const shared = new Set(["ssh_timeout", "hive_unreachable", "ssh_connection_lost", "ssh_host_key_changed"]);

function isTheirs(error: unknown): boolean {
  return !(error instanceof RbeeError && shared.has(error.code));
}

/** Stops waiting when the signal aborts, though others may go on. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
