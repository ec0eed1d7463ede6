import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";

const keepMs = 7 * 24 * 3_600_000;
const everyMs = 3_600_000;

export interface ParkedExpiryOptions {
  readonly folder: string;
  /** False when conversations are not kept any more: then all of them go. */
  readonly keepsAny: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Removes parked conversations that nobody went on with for a week, at the start and every hour. */
export class ParkedExpiry {
  readonly #options: ParkedExpiryOptions;
  #cancel: () => void = () => {};

  constructor(options: ParkedExpiryOptions) {
    this.#options = options;
  }

  /** To be called before the first worker is started: what an earlier one left half written goes, too. */
  start(): void {
    this.#remove((name, usedAt) => !name.endsWith(".parked") || this.#isOver(usedAt));
    this.#wait();
  }

  stop(): void {
    this.#cancel();
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(everyMs, () => {
      this.#remove((_, usedAt) => this.#isOver(usedAt));
      this.#wait();
    });
  }

  #isOver(usedAt: number): boolean {
    const { clock, keepsAny } = this.#options;
    return !keepsAny || clock.now() - usedAt > keepMs;
  }

  #remove(isOver: (name: string, usedAt: number) => boolean): void {
    const { folder, log } = this.#options;
    try {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        // A worker may just remove it to make room.
        const stat = statSync(path, { throwIfNoEntry: false });
        if (stat !== undefined && isOver(name, stat.mtimeMs)) rmSync(path, { recursive: true, force: true });
      }
    } catch (error) {
      log.warn({ err: error }, "Old parked conversations cannot be removed.");
    }
  }
}
