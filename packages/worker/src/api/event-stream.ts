import type { ServerResponse } from "node:http";

/** How often a silent stream shows that it is alive, in milliseconds. */
const commentEveryMs = 4000;
/** How long the headers wait for the first text, to go out with it in one write. */
const headersWaitMs = 25;
/** Unsent bytes beyond which text is gathered instead of written. */
const highWaterBytes = 256 * 1024;

/**
 * The server-sent events of one answer, written straight to the socket. A reader that is slower than the model does
 * not slow the others down: its text is gathered, without envelopes, until the socket takes more, so that at most one
 * answer's text waits in memory.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #render: (text: string) => string;
  readonly #headers: NodeJS.Timeout;
  readonly #comments: NodeJS.Timeout;
  #gathered = "";
  #lastWriteMs = performance.now();
  #ended = false;

  /**
   * Sends the headers with the first text, or alone when that takes a moment. `render` makes an event of text; `comment` says what the stream is waiting for.
   * `onGone` is called when the reader leaves before the end.
   */
  constructor(
    response: ServerResponse,
    hooks: { render(text: string): string; comment(): string; onGone(): void },
    everyMs = commentEveryMs,
  ) {
    this.#response = response;
    this.#render = hooks.render;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    this.#headers = setTimeout(() => {
      response.flushHeaders();
    }, headersWaitMs);
    this.#comments = setInterval(() => {
      if (performance.now() - this.#lastWriteMs >= everyMs * 0.9) this.#write(`: ${hooks.comment()}\n\n`);
    }, everyMs);
    response.on("drain", () => {
      this.#flush();
    });
    const closed = () => {
      clearTimeout(this.#headers);
      clearInterval(this.#comments);
      if (!this.#ended) hooks.onGone();
    };
    // A reader may have left while its request was still being read.
    if (response.destroyed) closed();
    else response.once("close", closed);
    response.on("error", () => {
      // A reader that left mid-write; `close` follows and does what is needed.
    });
  }

  /** Sends text, or keeps it until the reader has taken what was sent before. */
  text(text: string): void {
    if (this.#response.writableLength > highWaterBytes) this.#gathered += text;
    else if (this.#gathered === "") this.#write(this.#render(text));
    else {
      this.#gathered += text;
      this.#flush();
    }
  }

  /** Sends the last events and ends the answer. */
  end(events: string): void {
    this.#flush();
    this.#ended = true;
    clearTimeout(this.#headers);
    clearInterval(this.#comments);
    this.#response.end(events);
  }

  #flush(): void {
    const text = this.#gathered;
    if (text === "" || this.#ended) return;
    this.#gathered = "";
    this.#write(this.#render(text));
  }

  #write(event: string): void {
    this.#lastWriteMs = performance.now();
    clearTimeout(this.#headers);
    this.#response.write(event);
  }
}
