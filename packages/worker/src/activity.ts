import type { WorkerMessage } from "@rbee/contract";

type Activity = Extract<WorkerMessage, { type: "activity" }>;

/** Least time between two reports, in milliseconds. */
const pauseMs = 250;

/**
 * Tells a hive how busy its worker is: when that changed, at most four times a second, and always once more after
 * the last change, so that the hive never keeps a number that is no longer true.
 */
export class ActivityReporter {
  readonly #measure: () => Omit<Activity, "type">;
  readonly #send: (message: Activity) => void;
  #timer: NodeJS.Timeout | null = null;
  #last = "";

  constructor(measure: () => Omit<Activity, "type">, send: (message: Activity) => void) {
    this.#measure = measure;
    this.#send = send;
  }

  /** Something may have changed. */
  changed(): void {
    if (this.#timer !== null) return;
    const idle = this.#report();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // The rate falls by itself after the last token, so an idle worker is looked at until it is 0.
      if (!idle || !this.#report()) this.changed();
    }, pauseMs);
    this.#timer.unref();
  }

  /** Sends what is new. Answers whether the worker does nothing at all. */
  #report(): boolean {
    const measured = this.#measure();
    const message: Activity = { type: "activity", ...measured };
    const text = JSON.stringify(message);
    if (text !== this.#last) {
      this.#last = text;
      this.#send(message);
    }
    return measured.slots_busy === 0 && measured.queued === 0 && measured.tokens_per_s === 0;
  }
}
