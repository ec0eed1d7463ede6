import { systemClock, type Clock } from "../clock.ts";

/** The machine's clock, but nobody waits: how long they wanted to is written down. */
export class HastyClock implements Clock {
  readonly slept: number[] = [];

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(ms: number, action: () => void): () => void {
    return systemClock.after(ms, action);
  }

  sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    return new Promise((resolve) => setImmediate(resolve));
  }
}
