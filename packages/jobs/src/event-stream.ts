import { RbeeError, type JobEvent } from "@rbee/contract";
import type { Clock } from "./clock.ts";
import type { EventLog } from "./event-log.ts";

/** What goes with a job's stream over HTTP. */
export const eventStreamHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

const pingMs = 15_000;
/** So many events at most are in memory for one subscriber. */
const pageSize = 64;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One event as server-sent event, with its number as `id`. */
export function encodeEvent(event: JobEvent): string {
  const { type, ...data } = event;
  return `id: ${event.seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The number after which a reconnecting subscriber wants to go on; 0 when it says none. */
export function lastEventId(request: Pick<Request, "headers">): number {
  const value = Number(request.headers.get("last-event-id") ?? 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

export interface EventStreamOptions {
  jobId: string;
  log: EventLog;
  clock: Clock;
  /** The last event that the subscriber has. */
  afterSeq: number;
  /** Whether more events can come. */
  isRunning: () => boolean;
  /** Ends the stream early. */
  signal?: AbortSignal | undefined;
}

/**
 * A job's events as server-sent events: those in the log, then each new one, `data: [DONE]` after the result, and a
 * comment after every 15 s of silence. The log is read when the reader asks for more, so that a slow one costs no
 * memory. It ends with an error when the log breaks off without a result.
 */
export function streamEvents(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { signal } = options;
  const subscription = new Subscription(options);
  const abort = () => {
    subscription.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (signal?.aborted) subscription.close();
        signal?.addEventListener("abort", abort, { once: true });
        subscription.start(controller);
      },
      pull: () => subscription.pull(),
      cancel() {
        subscription.close();
      },
    },
    // Nothing is read from the log before somebody asks for it.
    { highWaterMark: 0 },
  );
}

class Subscription {
  readonly #options: EventStreamOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #unsubscribe: () => void = () => {};
  #wake: () => void = () => {};
  #afterSeq: number;
  #closed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#afterSeq = options.afterSeq;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    const { log, jobId } = this.#options;
    // A number that the log has not reached would hide the events up to it.
    this.#afterSeq = Math.min(this.#afterSeq, log.last(jobId)?.seq ?? 0);
    if (this.#closed) {
      controller.close();
      return;
    }
    this.#unsubscribe = log.subscribe(jobId, () => {
      this.#wake();
    });
  }

  /** Gives the reader at least one chunk, or the end. */
  async pull(): Promise<void> {
    const { log, jobId, isRunning } = this.#options;
    for (;;) {
      if (this.#closed) return;
      const page = log.read(jobId, this.#afterSeq, pageSize);
      const last = page.at(-1);
      if (last !== undefined) {
        this.#afterSeq = last.seq;
        this.#send(page.map(encodeEvent).join("") + (last.type === "result" ? "data: [DONE]\n\n" : ""));
        if (last.type === "result") this.close();
        return;
      }
      if (log.last(jobId)?.type === "result") {
        this.#send("data: [DONE]\n\n");
        this.close();
        return;
      }
      if (!isRunning()) {
        this.#breakOff();
        return;
      }
      if ((await this.#nextEvent()) === "silence") {
        this.#send(": ping\n\n");
        return;
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    try {
      this.#controller?.close();
    } catch {
      // Its reader has cancelled it already.
    }
    this.#wake();
  }

  #send(text: string): void {
    if (!this.#closed) this.#controller?.enqueue(bytesOf(text));
  }

  /** Reading and this are in one go, so that no event falls between the two. */
  async #nextEvent(): Promise<"event" | "silence"> {
    const { promise, resolve } = Promise.withResolvers<"event" | "silence">();
    this.#wake = () => {
      resolve("event");
    };
    const cancelPing = this.#options.clock.after(pingMs, () => {
      resolve("silence");
    });
    const what = await promise;
    cancelPing();
    return this.#closed ? "event" : what;
  }

  #breakOff(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#controller?.error(new RbeeError("internal_error", "The log of this job ends without a result."));
  }
}
