import type { Clock } from "../clock.ts";

/** Those who wait for something to become of a worker. */
export class Waiting {
  readonly #clock: Clock;
  readonly #checks = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves as soon as `holds` does, at the latest after `limitMs`; for ever when that is null. */
  until(holds: () => boolean, limitMs: number | null): Promise<void> {
    if (holds() || limitMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#checks.delete(check);
        resolve();
      };
      const check = () => {
        if (holds()) done();
      };
      const cancel = limitMs === null ? () => {} : this.#clock.after(limitMs, done);
      this.#checks.add(check);
    });
  }

  /** Something has become of it. */
  tell(): void {
    for (const check of [...this.#checks]) check();
  }
}
