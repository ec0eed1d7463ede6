import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import { RbeeError, type Backend, type Loan, type LoanGrant, type LoanRequest } from "@rbee/contract";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { WorkerLogFile } from "../worker-process/log-file.ts";
import type { Promised } from "../worker-process/placement.ts";
import { ComputeServer } from "./compute-server.ts";
import { join as joinSockets } from "./joined-sockets.ts";

/** Where a loan's process may compute, once everything that can be refused has been. */
export interface LoanPlace {
  readonly backend: Backend;
  /** Whose memory it takes beside main memory: a device's id, or `ram` for none. */
  readonly pool: string;
  readonly env: Readonly<Record<string, string>>;
  readonly threads: number;
}

export interface LoansOptions {
  readonly home: string;
  /** The path of `ggml-rpc-server`. @throws {RbeeError} `backend_unavailable` when this machine has none. */
  readonly program: () => Promise<string>;
  /**
   * Reads what the machine has, and then decides about a request at once, so that nothing is lent twice; deciding
   * throws `backend_unavailable`, `insufficient_ram`, `insufficient_vram`.
   */
  readonly look: () => Promise<(request: LoanRequest) => LoanPlace>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The borrower has to be heard of at first, and then again and again; it asks once a second. While it sends its model
 * it may not get through with that, so what it sends counts too; it gives up first itself.
 */
export const silenceMs = { before: 60_000, inLoad: 30_000, after: 10_000 } as const;
/** How long a loan may be without a connection, at first and after one has gone. */
export const unusedMs = { before: 300_000, after: 30_000 } as const;
const lookEveryMs = 1_000;
const loanLimit = 32;
/** Connections of one borrower at a time: it makes one after the other, and an old one may just be going. */
const tunnelLimit = 4;

interface Lent {
  loan: Loan;
  readonly pool: string;
  readonly tokenHash: Buffer;
  /** Undefined while it starts. */
  server: ComputeServer | undefined;
  readonly logFile: WorkerLogFile;
  readonly tunnels: Set<Duplex>;
  heardAt: number;
  heard: boolean;
  usedAt: number;
  used: boolean;
}

const hashOf = (token: string) => createHash("sha256").update(token).digest();

/**
 * What this hive computes for workers of other hives. Each loan is a process of its own, reached only through this
 * hive's port with the loan's token, and ends when its borrower says so, falls silent, or is gone.
 */
export class Loans {
  readonly #options: LoansOptions;
  readonly #lent = new Map<string, Lent>();
  #closing = false;
  #cancelTimer: () => void = () => {};

  constructor(options: LoansOptions) {
    this.#options = options;
  }

  list(): Loan[] {
    return [...this.#lent.values()].map(({ loan, server }) => ({ ...loan, pid: server?.pid ?? null }));
  }

  /** The memory that loans were promised. */
  promised(): Promised[] {
    return [...this.#lent.values()].map(({ loan: { device_mb, ram_mb, loaded }, pool }) => ({
      pool,
      need: { device_mb, ram_mb },
      takesMemory: !loaded,
    }));
  }

  /**
   * Starts a process that computes for another hive; resolves when it listens.
   * @throws {RbeeError} `backend_unavailable`, `insufficient_ram`, `insufficient_vram`, `overloaded`,
   * `worker_spawn_failed`.
   */
  async start(request: LoanRequest): Promise<LoanGrant> {
    const { home, clock, log } = this.#options;
    this.#refuseWhenFull();
    const program = await this.#options.program();
    const decide = await this.#options.look();
    this.#refuseWhenFull();
    const { backend, pool, env, threads } = decide(request);
    const id = randomBytes(6).toString("hex");
    const loan_id = `loan:${id}`;
    const token = randomBytes(32).toString("base64url");
    const { model, borrower, device, device_mb, ram_mb } = request;
    const now = clock.monotonic();
    const lent: Lent = {
      loan: {
        ...{ loan_id, model, borrower, backend, device, pid: null, device_mb, ram_mb },
        ...{ loaded: false, started_at: clock.now() },
      },
      pool,
      tokenHash: hashOf(token),
      server: undefined,
      logFile: new WorkerLogFile(join(home, "logs", `worker-loan-${id}.log`)),
      tunnels: new Set(),
      ...{ heardAt: now, heard: false, usedAt: now, used: false },
    };
    this.#lent.set(loan_id, lent);
    try {
      lent.server = await ComputeServer.start({
        ...{ program, backend, env, threads, log: lent.logFile },
        onEnd: (reason) => {
          log.warn({ loan_id, model, reason }, `What computed a part of ${model} for ${borrower} died (${reason}).`);
          this.#end(lent);
        },
      });
    } catch (error) {
      this.#end(lent);
      throw error;
    }
    if (!this.#lent.has(loan_id)) {
      lent.server.kill();
      throw new RbeeError("overloaded", "This hive is shutting down and lends nothing.", { retryAfterS: 30 });
    }
    lent.heardAt = lent.usedAt = clock.monotonic();
    log.info({ loan_id, model, device, device_mb, ram_mb }, `Lending ${device} to ${borrower} for a part of ${model}.`);
    this.#watch();
    return { ...lent.loan, pid: lent.server.pid, token };
  }

  /** Whether what came as `Authorization` is this loan's token. */
  allows(authorization: string | undefined, id: string): boolean {
    const token = /^bearer +(\S+) *$/iu.exec(authorization ?? "")?.[1];
    const lent = this.#lent.get(id);
    return token !== undefined && lent !== undefined && timingSafeEqual(hashOf(token), lent.tokenHash);
  }

  /** A sign of life of its borrower. @throws {RbeeError} `not_found` when it has ended. */
  keep(id: string, loaded: boolean): Loan {
    const lent = this.#get(id);
    lent.heard = true;
    lent.heardAt = this.#options.clock.monotonic();
    if (loaded) lent.loan = { ...lent.loan, loaded };
    return { ...lent.loan, pid: lent.server?.pid ?? null };
  }

  /** @throws {RbeeError} `not_found`. */
  end(id: string): void {
    this.#end(this.#get(id));
  }

  /**
   * Joins a connection with the loan's process.
   * @throws {RbeeError} `not_found`, `overloaded` when its borrower has enough of them.
   */
  tunnel(id: string): (outside: Duplex, head: Buffer) => void {
    const lent = this.#get(id);
    const { server, tunnels } = lent;
    if (server === undefined) throw notThere(id);
    if (tunnels.size >= tunnelLimit)
      throw new RbeeError("overloaded", `The loan ${id} has ${tunnelLimit} connections already.`);
    return (outside, head) => {
      lent.used = true;
      tunnels.add(outside);
      joinSockets(outside, server.connect(), head, () => {
        tunnels.delete(outside);
        lent.usedAt = this.#options.clock.monotonic();
      });
      outside.on("data", () => {
        if (!lent.loan.loaded) lent.heardAt = this.#options.clock.monotonic();
      });
    };
  }

  /** Connections that it has now. */
  tunnelsOf(id: string): number {
    return this.#get(id).tunnels.size;
  }

  /** Ends every loan, and lends nothing more. */
  close(): void {
    this.#closing = true;
    this.#cancelTimer();
    for (const lent of [...this.#lent.values()]) this.#end(lent);
  }

  #get(id: string): Lent {
    const lent = this.#lent.get(id);
    if (lent === undefined) throw notThere(id);
    return lent;
  }

  #refuseWhenFull(): void {
    if (this.#closing)
      throw new RbeeError("overloaded", "This hive is shutting down and lends nothing.", { retryAfterS: 30 });
    if (this.#lent.size >= loanLimit)
      throw new RbeeError("overloaded", `This hive already computes for ${loanLimit} workers of other hives.`);
  }

  #watch(): void {
    this.#cancelTimer();
    if (this.#lent.size === 0) return;
    this.#cancelTimer = this.#options.clock.after(lookEveryMs, () => {
      this.#endForgotten();
      this.#watch();
    });
  }

  #endForgotten(): void {
    const { clock, log } = this.#options;
    const now = clock.monotonic();
    for (const lent of [...this.#lent.values()]) {
      const { loan, server, tunnels } = lent;
      if (server === undefined) continue;
      const { before, inLoad, after } = silenceMs;
      // A borrower that is killed takes its connections along, whatever it was about to say.
      const loads = !loan.loaded && tunnels.size > 0;
      const silent = now - lent.heardAt > (lent.heard ? (loads ? inLoad : after) : before);
      const unused = tunnels.size === 0 && now - lent.usedAt > (lent.used ? unusedMs.after : unusedMs.before);
      if (!silent && !unused) continue;
      const { loan_id, model, borrower } = loan;
      log.warn(
        { loan_id, model, silent, unused },
        `${borrower} ${silent ? "is not heard of any more" : "does not use it"}: what was lent to it for ${model} ends.`,
      );
      this.#end(lent);
    }
  }

  #end(lent: Lent): void {
    this.#lent.delete(lent.loan.loan_id);
    lent.server?.kill();
    for (const tunnel of lent.tunnels) tunnel.destroy();
    lent.logFile.close();
  }
}

const notThere = (id: string) => new RbeeError("not_found", `This hive lends nothing called ${id}; it may have ended.`);
