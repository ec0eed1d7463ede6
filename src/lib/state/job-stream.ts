import type { JobEvent } from "@rbee/contract";
import { createParser } from "eventsource-parser";

/** Everything the stream does to the world, so that it can be tested with a clock of its own. */
export interface JobStreamEffects {
  /** Opens the stream after an event. Null: there is no such job any more, or nobody is signed in. */
  open(afterSeq: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null>;
  now(): number;
  after(ms: number, run: () => void): () => void;
  event(event: JobEvent): void;
  /** Whether the log is live; false while it is being found again. */
  live(isLive: boolean): void;
}

/** The queen sends a comment every 15 s: more than two of them missing means that nobody is there. */
export const jobStreamTiming = { silenceMs: 35_000, watchEveryMs: 1_000, hastySilenceMs: 16_000 } as const;
const backoffMs = [500, 1_000, 2_000, 4_000];
const kinds: ReadonlySet<unknown> = new Set(["narration", "progress", "result"]);

/**
 * Follows a job to its end whatever happens in between: a dropped connection, a queen that restarts and a laptop that
 * slept all lead to the same place, after the last event that is known.
 */
export class JobStream {
  readonly #effects: JobStreamEffects;
  #lastSeq: number;
  #heardAt = 0;
  #failures = 0;
  #attempt: AbortController | null = null;
  #over = false;
  #cancelRetry = () => {};
  #cancelWatch = () => {};

  constructor(effects: JobStreamEffects, lastSeq: number) {
    this.#effects = effects;
    this.#lastSeq = lastSeq;
  }

  start(): void {
    this.#open();
    this.#watch();
  }

  stop(): void {
    this.#over = true;
    this.#cancelRetry();
    this.#cancelWatch();
    this.#attempt?.abort();
  }

  /** The page woke up or the network came back: do not wait for what may never come. */
  hurry(): void {
    if (this.#over) return;
    const silence = this.#effects.now() - this.#heardAt;
    if (this.#attempt === null || silence > jobStreamTiming.hastySilenceMs) this.#reopen();
  }

  #reopen(): void {
    this.#cancelRetry();
    this.#attempt?.abort();
    this.#open();
  }

  #watch(): void {
    this.#cancelWatch = this.#effects.after(jobStreamTiming.watchEveryMs, () => {
      if (this.#attempt !== null && this.#effects.now() - this.#heardAt > jobStreamTiming.silenceMs) {
        this.#effects.live(false);
        this.#reopen();
      }
      if (!this.#over) this.#watch();
    });
  }

  #open(): void {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#heardAt = this.#effects.now();
    void this.#read(attempt).then((end) => {
      if (this.#over || this.#attempt !== attempt) return;
      this.#attempt = null;
      if (end === "gone") {
        this.stop();
        return;
      }
      this.#effects.live(false);
      const wait = backoffMs[Math.min(this.#failures, backoffMs.length - 1)] ?? 4_000;
      this.#failures += 1;
      this.#cancelRetry = this.#effects.after(wait, () => {
        this.#open();
      });
    });
  }

  async #read(attempt: AbortController): Promise<"cut" | "gone"> {
    const isCurrent = () => !this.#over && this.#attempt === attempt;
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (!isCurrent()) return;
        if (data === "[DONE]") this.stop();
        else if (kinds.has(event)) this.#take({ ...(JSON.parse(data) as object), type: event } as JobEvent);
      },
    });
    try {
      const body = await this.#effects.open(this.#lastSeq, attempt.signal);
      if (body === null) return "gone";
      if (!isCurrent()) return "cut";
      this.#effects.live(true);
      const decoder = new TextDecoder();
      const reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || !isCurrent()) return "cut";
        this.#heardAt = this.#effects.now();
        this.#failures = 0;
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } catch {
      return "cut";
    }
  }

  #take(event: JobEvent): void {
    if (event.seq <= this.#lastSeq) return;
    this.#lastSeq = event.seq;
    this.#effects.event(event);
  }
}
