import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { hiveClient, RbeeError, toRbeeError, type Helper, type HiveClient } from "@rbee/contract";
import type { Clock } from "../clock.ts";
import { join } from "./joined-sockets.ts";
import { openTunnel } from "./tunnel-client.ts";

export interface BorrowingOptions {
  readonly model: string;
  readonly helpers: readonly Helper[];
  readonly clock: Clock;
}

/**
 * A helper is asked whether it is there this often, and is gone when it has not answered for so long. While a model
 * loads it fills the link with itself, so that an answer may come late, and what it moves is a sign of life too.
 */
export const helperWatchMs = { every: 1_000, answerWithin: 2_000, deadAfter: 5_000, deadAfterInLoad: 20_000 } as const;
const farewellMs = 3_000;
/** A worker makes one connection after the other while it loads, and none later. */
const connectionLimit = 2;

/**
 * What one worker borrows from other hives. For each helper there is a door on loopback, through which the worker
 * reaches the process that the helper lends; it is shut as soon as the model is loaded, since nobody else has business
 * there. Nothing in llama.cpp ever gives up waiting for a machine that has gone, so that is watched for here.
 */
export class Borrowing {
  readonly #lenders: readonly Lender[];
  #over = false;
  #lostBy: RbeeError | undefined;
  #whenLost: (error: RbeeError) => void = () => {};

  private constructor(options: BorrowingOptions) {
    this.#lenders = options.helpers.map(
      (helper) =>
        new Lender(helper, options, (error) => {
          this.#lost(error);
        }),
    );
  }

  /**
   * Reaches every helper and opens a door for each.
   * @throws {RbeeError} `hive_unreachable` or what a helper answers; then nothing is borrowed.
   */
  static async open(options: BorrowingOptions): Promise<Borrowing> {
    const borrowing = new Borrowing(options);
    try {
      await Promise.all(borrowing.#lenders.map((lender) => lender.open()));
      return borrowing;
    } catch (error) {
      await borrowing.close();
      throw error;
    }
  }

  /** Where the worker reaches each helper, as `host:port`, in the helpers' order. */
  get addresses(): string[] {
    return this.#lenders.map(({ address }) => address);
  }

  /** Calls back once when a helper is gone, which is the end of the worker; `worker_crashed` names it. */
  whenLost(action: (error: RbeeError) => void): void {
    this.#whenLost = action;
    if (this.#lostBy !== undefined) action(this.#lostBy);
  }

  /** The model is loaded: nobody connects any more, and the helpers know that their memory is taken. */
  loaded(): void {
    for (const lender of this.#lenders) lender.loaded();
  }

  /** Gives everything back; resolves when the helpers know, or cannot be told. */
  async close(): Promise<void> {
    this.#over = true;
    this.#whenLost = () => {};
    await Promise.all(this.#lenders.map((lender) => lender.close()));
  }

  #lost(error: RbeeError): void {
    if (this.#over) return;
    this.#over = true;
    this.#lostBy = error;
    this.#whenLost(error);
  }
}

/** One helper, from here. */
class Lender {
  readonly #helper: Helper;
  readonly #model: string;
  readonly #clock: Clock;
  readonly #onLost: (error: RbeeError) => void;
  readonly #client: HiveClient;
  readonly #leaving = new AbortController();
  readonly #sockets = new Set<Socket>();
  /** Of the sockets, those that lead to the helper. */
  readonly #tunnels = new Set<Socket>();
  readonly #door: Server;
  #loaded = false;
  #heardAt = 0;
  #failures = 0;
  #address = "";

  constructor(helper: Helper, { model, clock }: BorrowingOptions, onLost: (error: RbeeError) => void) {
    this.#helper = helper;
    this.#model = model;
    this.#clock = clock;
    this.#onLost = onLost;
    const { url, token, name } = helper;
    this.#client = hiveClient({ baseUrl: url.replace(/\/+$/u, ""), token, name });
    this.#door = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      void this.#connect(socket);
    });
    this.#door.maxConnections = connectionLimit;
  }

  get address(): string {
    return this.#address;
  }

  async open(): Promise<void> {
    await this.#ask();
    this.#door.listen({ host: "127.0.0.1", port: 0 });
    await once(this.#door, "listening");
    const { address, port } = this.#door.address() as AddressInfo;
    this.#address = `${address}:${port}`;
    void this.#watch();
  }

  loaded(): void {
    this.#loaded = true;
    // It has just done its part; what it did not answer before was for want of room on the link.
    this.#hear();
    this.#door.close();
    // At once, since it waits longer for one that loads; whether it answers, the next question shows.
    this.#ask().catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    this.#door.close();
    for (const socket of this.#sockets) socket.destroy();
    // A helper that cannot be told ends it by itself, soon.
    await this.#client.endLoan({ params: this.#loan, timeoutMs: farewellMs }).catch(() => undefined);
  }

  get #loan() {
    return { id: this.#helper.loan_id };
  }

  async #ask(): Promise<void> {
    await this.#client.keepLoan({
      params: this.#loan,
      query: this.#loaded ? { loaded: "true" } : {},
      signal: this.#leaving.signal,
      timeoutMs: helperWatchMs.answerWithin,
    });
  }

  #hear(): void {
    this.#heardAt = this.#clock.monotonic();
    this.#failures = 0;
  }

  /** Bytes that have come from it or left for it; what waits here to be sent does not count. */
  #moved(): number {
    return [...this.#tunnels].reduce(
      (sum, { bytesRead, bytesWritten, writableLength }) => sum + bytesRead + bytesWritten - writableLength,
      0,
    );
  }

  async #watch(): Promise<void> {
    const { signal } = this.#leaving;
    const { every, deadAfter, deadAfterInLoad } = helperWatchMs;
    let movedBefore = 0;
    this.#hear();
    while (!signal.aborted) {
      await this.#clock.sleep(every, signal);
      try {
        await this.#ask();
        this.#hear();
      } catch (thrown) {
        if (signal.aborted) return;
        const { code, message } = toRbeeError(thrown);
        if (!this.#loaded && this.#moved() !== movedBefore) this.#hear();
        this.#failures += 1;
        const silentMs = this.#clock.monotonic() - this.#heardAt;
        if (code !== "hive_unreachable") this.#lost(`says: ${message}`);
        // One failure may be this machine's own, which slept or was too busy to listen.
        else if (this.#failures > 1 && silentMs >= (this.#loaded ? deadAfter : deadAfterInLoad))
          this.#lost(`has not answered for ${Math.round(silentMs / 1_000)} s`);
        else continue;
        return;
      } finally {
        movedBefore = this.#moved();
      }
    }
  }

  async #connect(inside: Socket): Promise<void> {
    this.#sockets.add(inside);
    inside.on("error", () => {});
    inside.on("close", () => this.#sockets.delete(inside));
    try {
      const { socket: outside, head } = await openTunnel(this.#helper, this.#leaving.signal);
      this.#sockets.add(outside);
      this.#tunnels.add(outside);
      // As long as the worker wants the connection, only the other side can have ended it.
      outside.once("end", () => {
        if (!inside.readableEnded) this.#lost("ended the connection: what it computed with is gone");
      });
      outside.once("error", () => {
        if (!inside.destroyed) this.#lost("is not connected any more");
      });
      join(outside, inside, Buffer.alloc(0), () => {
        this.#sockets.delete(outside);
        this.#tunnels.delete(outside);
      });
      if (head.length > 0) inside.write(head);
    } catch (error) {
      if (!this.#leaving.signal.aborted) this.#lost(`says: ${toRbeeError(error).message}`);
      inside.destroy();
    }
  }

  #lost(what: string): void {
    if (this.#leaving.signal.aborted) return;
    const { name, hive_id, share } = this.#helper;
    const part = `${Math.round(share * 100)} % of ${this.#model}`;
    this.#onLost(
      new RbeeError("worker_crashed", `${name}, which computes ${part}, ${what.replace(/\.$/u, "")}.`, {
        details: { helper: name, hive_id },
        suggestion: `Look at ${name} and its network; the next request finds a new place for the model.`,
      }),
    );
  }
}
