import type { ErrorBody } from "@rbee/contract";
import { LogLines, type LogLine } from "./log-lines.ts";

const lines = 200;
const againAfterMs = 3_000;

export type LogState = "connecting" | "live" | "reconnecting" | "failed";

/** A log of a hive or a worker while somebody looks at it. */
export class FollowedLog {
  shown = $state.raw<readonly LogLine[]>([]);
  waiting = $state(0);
  held = $state(false);
  state = $state<LogState>("connecting");
  problem = $state.raw<ErrorBody["error"] | null>(null);
  readonly #path: string;
  readonly #log = new LogLines();

  /** @param path of the endpoint that gives the log, without a query. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Stops what is shown, or lets it go on. */
  hold(isHeld: boolean): void {
    this.held = isHeld;
    if (isHeld) this.#log.hold();
    else this.#log.release();
    this.#show();
  }

  /** Follows the log in the browser. Gives the function that ends that. */
  follow(): () => void {
    let stopped = false;
    let attempt = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      attempt = new AbortController();
      const isOver = await this.#read(attempt.signal).catch(() => false);
      if (stopped || isOver) return;
      this.state = "reconnecting";
      timer = setTimeout(() => void read(), againAfterMs);
    };
    void read();
    return () => {
      stopped = true;
      clearTimeout(timer);
      attempt.abort();
    };
  }

  #show(): void {
    this.shown = this.#log.shown;
    this.waiting = this.#log.waiting;
  }

  /** Says whether trying again is of no use. */
  async #read(signal: AbortSignal): Promise<boolean> {
    const response = await fetch(`${this.#path}?lines=${lines}&follow=true`, { signal, cache: "no-store" });
    // What was there a moment ago comes back: a machine or the queen is being started again.
    if (response.status >= 500 && this.state === "reconnecting") return false;
    if (!response.ok || response.body === null) {
      this.problem = ((await response.json()) as ErrorBody).error;
      this.state = "failed";
      return true;
    }
    this.#log.clear();
    this.problem = null;
    this.state = "live";
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      this.#log.take(decoder.decode(value, { stream: true }));
      this.#show();
    }
    this.#log.end();
    this.#show();
    return false;
  }
}
