import type { Clock } from "../clock.ts";
import { readOutOfMemoryKills } from "../hardware/memory.ts";

/**
 * A process that had much memory is seen to end some time after the system has counted it, so a count is compared only
 * once it is so old.
 */
const settledMs = 10_000;

interface Count {
  readonly at: number;
  readonly kills: number | null;
}

/**
 * Knows whether the system has lately ended processes because memory ran out. The system counts those of the whole
 * machine, so what it counted long ago says nothing about a process that dies now.
 */
export class OutOfMemoryWatch {
  readonly #clock: Clock;
  readonly #read: () => number | null;
  /** The one to compare with. */
  #before: Count;
  /** The one that takes its place as soon as it is old enough. */
  #next: Count;

  constructor(clock: Clock, read: () => number | null = readOutOfMemoryKills) {
    this.#clock = clock;
    this.#read = read;
    this.#before = this.#next = this.#count();
  }

  /** To be called every now and then: `killedLately` looks back as far as two calls that are ten seconds apart. */
  look(): void {
    if (this.#clock.monotonic() - this.#next.at < settledMs) return;
    this.#before = this.#next;
    this.#next = this.#count();
  }

  /** Whether the system has ended a process since about ten to twenty seconds ago; false where it does not say. */
  get killedLately(): boolean {
    const { kills } = this.#before;
    return kills !== null && (this.#read() ?? 0) > kills;
  }

  #count(): Count {
    return { at: this.#clock.monotonic(), kills: this.#read() };
  }
}
