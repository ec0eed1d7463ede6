import type { ServerResponse } from "node:http";

/** How often a silent stream shows that it is alive, in milliseconds. */
const commentEveryMs = 4000;
/** How long the headers wait for the first text, to go out with it in one write. */
const headersWaitMs = 25;
/**
 * Events that follow each other faster than this go out together: nobody sees the difference, and each write wakes every
 * process on the way to the reader, at the cost of the model that computes beside them.
 */
const writeEveryMs = 20;
/** Characters that are written at once, however soon after the last ones. */
const muchText = 16 * 1024;
/** Unsent bytes beyond which parts are gathered instead of written. */
const highWaterBytes = 256 * 1024;

export interface EventStreamHooks<Part> {
  /** Makes events of a part. */
  render(part: Part): string;
  /** One part that says what two say, one after the other; null when they must stay apart. */
  merge(one: Part, next: Part): Part | null;
  /** What the stream is waiting for. */
  comment(): string;
  /** Called when the reader leaves before the end. */
  onGone(): void;
}

/**
 * The server-sent events of one answer, written straight to the socket. A reader that is slower than the model does
 * not slow the others down: what it has not read is gathered, without envelopes, until the socket takes more, so that
 * at most one answer's text waits in memory.
 */
export class EventStream<Part> {
  readonly #response: ServerResponse;
  readonly #hooks: EventStreamHooks<Part>;
  readonly #togetherMs: number;
  readonly #headers: NodeJS.Timeout;
  readonly #comments: NodeJS.Timeout;
  #gathered: Part[] = [];
  /** Events that wait for their turn to be written. */
  #held = "";
  #release: NodeJS.Timeout | undefined;
  #lastWriteMs = performance.now();
  #hasText = false;
  #ended = false;

  /** Sends the headers with the first part, or alone when that takes a moment. */
  constructor(
    response: ServerResponse,
    hooks: EventStreamHooks<Part>,
    everyMs = commentEveryMs,
    togetherMs = writeEveryMs,
  ) {
    this.#response = response;
    this.#hooks = hooks;
    this.#togetherMs = togetherMs;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    this.#headers = setTimeout(() => {
      response.flushHeaders();
    }, headersWaitMs);
    this.#comments = setInterval(() => {
      if (performance.now() - this.#lastWriteMs >= everyMs * 0.9) this.#writeNow(`: ${hooks.comment()}\n\n`);
    }, everyMs);
    response.on("drain", () => {
      this.#flush();
    });
    const closed = () => {
      clearTimeout(this.#headers);
      clearInterval(this.#comments);
      clearTimeout(this.#release);
      if (!this.#ended) hooks.onGone();
    };
    // A reader may have left while its request was still being read.
    if (response.destroyed) closed();
    else response.once("close", closed);
    response.on("error", () => {
      // A reader that left mid-write; `close` follows and does what is needed.
    });
  }

  /**
   * Sends a part: the first one at once, those that come quickly after another together. Keeps it until the reader has
   * taken what was sent before.
   */
  send(part: Part): void {
    if (this.#response.writableLength > highWaterBytes) this.#gather(part);
    else if (this.#gathered.length === 0) this.#write(this.#hooks.render(part));
    else {
      this.#gather(part);
      this.#flush();
    }
  }

  /** Sends the last events and ends the answer. */
  end(events: string): void {
    this.#flush();
    this.#ended = true;
    clearTimeout(this.#headers);
    clearInterval(this.#comments);
    clearTimeout(this.#release);
    this.#response.end(this.#held + events);
    this.#held = "";
  }

  #gather(part: Part): void {
    const last = this.#gathered.at(-1);
    const merged = last === undefined ? null : this.#hooks.merge(last, part);
    if (merged === null) this.#gathered.push(part);
    else this.#gathered[this.#gathered.length - 1] = merged;
  }

  #flush(): void {
    if (this.#gathered.length === 0 || this.#ended) return;
    const parts = this.#gathered;
    this.#gathered = [];
    this.#write(parts.map((part) => this.#hooks.render(part)).join(""));
  }

  #write(event: string): void {
    const waitMs = this.#hasText ? this.#lastWriteMs + this.#togetherMs - performance.now() : 0;
    this.#hasText = true;
    if (waitMs <= 0 || this.#held.length + event.length > muchText) {
      this.#writeNow(event);
      return;
    }
    this.#held += event;
    this.#release ??= setTimeout(() => {
      this.#writeNow("");
    }, waitMs);
  }

  #writeNow(event: string): void {
    clearTimeout(this.#headers);
    clearTimeout(this.#release);
    this.#release = undefined;
    const events = this.#held + event;
    this.#held = "";
    this.#lastWriteMs = performance.now();
    this.#response.write(events);
  }
}
