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
    this.#report();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#report()) this.changed();
    }, pauseMs);
    this.#timer.unref();
  }

  /** Whether there was something new to report. */
  #report(): boolean {
    const message: Activity = { type: "activity", ...this.#measure() };
    const text = JSON.stringify(message);
    if (text === this.#last) return false;
    this.#last = text;
    this.#send(message);
    return true;
  }
}
