import type { Client, ClientChannel } from "ssh2";
import { connectionLost } from "./errors.ts";
import { Slots } from "./slots.ts";
import type { SshTarget } from "./target.ts";

/** Two fewer than sshd's usual `MaxSessions` of 10, for what a person or another program of ours does meanwhile. */
const mostSessions = 8;
const partingMs = 1_000;

/** An SSH connection that is signed in. It stays open until `end`, or until it is lost. */
export class SshConnection {
  readonly target: SshTarget;
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #client: Client;
  readonly #slots = new Slots(mostSessions);
  #alive = true;
  #cause: unknown;

  /** @param before the connection to the host this one is tunnelled through; it ends with this one */
  constructor(target: SshTarget, client: Client, before: SshConnection | null) {
    this.target = target;
    this.#client = client;
    client.on("error", (error) => {
      this.#cause = error;
    });
    const over = Promise.withResolvers<undefined>();
    this.closed = over.promise;
    const ended = () => {
      this.#alive = false;
      before?.end();
      over.resolve(undefined);
    };
    client.once("end", ended).once("close", ended);
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** How many sessions are open now. */
  get sessions(): number {
    return this.#slots.taken;
  }

  /** The error for work that the end of the connection cut short. @param during completes "was lost …" */
  lost(during: string): Error {
    return connectionLost(this.target, during, this.#cause);
  }

  /**
   * Runs a command line in the account's login shell and gives the channel to `work`; waits for a free session first.
   * @throws RbeeError `ssh_connection_lost`
   */
  async withChannel<T>(
    commandLine: string,
    work: (channel: ClientChannel) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    for (;;) {
      const release = await this.#slots.take(signal);
      try {
        const channel = await this.#open(commandLine);
        if (channel !== null) return await work(channel);
      } finally {
        release();
      }
    }
  }

  /** A stream to another host and port, as seen from this one. */
  async forward(host: string, port: number): Promise<ClientChannel> {
    return new Promise((done, fail) => {
      this.#client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => (error ? fail(error) : done(channel)));
    });
  }

  /** Closes the connection politely, and firmly when the other side stays silent. */
  end(): void {
    if (!this.#alive) return;
    this.#client.end();
    const timer = setTimeout(() => this.#client.destroy(), partingMs);
    timer.unref();
    void this.closed.then(() => clearTimeout(timer));
  }

  /** Null when the host allows fewer sessions than we thought, and another try must wait for one to end. */
  async #open(commandLine: string): Promise<ClientChannel | null> {
    if (!this.#alive) throw this.lost("before the work could begin");
    const gone = this.closed.then(() => {
      throw this.lost("before the work could begin");
    });
    gone.catch(() => {});
    try {
      // On a connection that has just died ssh2 throws at once, or never answers.
      return await Promise.race([this.#exec(commandLine), gone]);
    } catch (error) {
      const others = this.#slots.taken - 1;
      const refused = error instanceof Error && /channel open failure/i.test(error.message);
      if (refused && others > 0) {
        this.#slots.lowerTo(others);
        return null;
      }
      if (!this.#alive || (error instanceof Error && /not connected/i.test(error.message)))
        throw this.lost("before the work could begin");
      throw error;
    }
  }

  async #exec(commandLine: string): Promise<ClientChannel> {
    return new Promise((done, fail) => {
      this.#client.exec(commandLine, (error, channel) => (error ? fail(error) : done(channel)));
    });
  }
}
