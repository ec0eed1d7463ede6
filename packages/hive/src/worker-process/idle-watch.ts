import type { Clock } from "../clock.ts";

/** Knows how long a worker has had nothing to do, and says when that is long enough. */
export class IdleWatch {
  readonly #clock: Clock;
  /** Null when a worker may be idle for ever. */
  readonly #limitMs: number | null;
  readonly #onIdle: () => void;
  #since: number | null = null;
  #cancel: () => void = () => {};

  constructor(clock: Clock, limitMs: number | null, onIdle: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onIdle = onIdle;
  }

  /** Milliseconds without work; 0 while it works, null while it does not serve. */
  get idleMs(): number | null {
    return this.#since === null ? null : Math.max(0, this.#clock.monotonic() - this.#since);
  }

  /** Milliseconds until it is stopped for want of work; null while it works, does not serve, or may be idle for ever. */
  get stopsInMs(): number | null {
    const { idleMs } = this;
    if (this.#limitMs === null || idleMs === null || this.#since === Number.POSITIVE_INFINITY) return null;
    return Math.max(0, this.#limitMs - idleMs);
  }

  /** It works, or is about to: what it is asked is not in its own counts yet. */
  used(): void {
    this.#since = this.#clock.monotonic();
    this.#wait();
  }

  /** It was let live although it had nothing to do: to be looked at again after as long. */
  again(): void {
    this.#wait();
  }

  /** It has told what it is doing. */
  tells(working: boolean): void {
    if (working) this.#hold();
    else if (this.#since === null || this.#since === Number.POSITIVE_INFINITY) this.used();
  }

  /** It does not serve any more. */
  stop(): void {
    this.#cancel();
    this.#since = null;
  }

  #hold(): void {
    this.#cancel();
    this.#since = Number.POSITIVE_INFINITY;
  }

  #wait(): void {
    this.#cancel();
    if (this.#limitMs === null) return;
    this.#cancel = this.#clock.after(this.#limitMs, () => {
      this.#onIdle();
    });
  }
}
