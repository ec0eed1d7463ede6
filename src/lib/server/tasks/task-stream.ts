import type { JobEvent, TokenEvent } from "@rbee/contract";
import { encodeEvent } from "@rbee/jobs";
import type { ReplySink } from "#lib/server/inference/index.ts";

const pingMs = 15_000;
const encoder = new TextEncoder();

/** One task's way to its client: job events, pieces of the answer, and pings in silence. Nothing goes after the result. */
export class TaskStream {
  readonly #sink: ReplySink;
  readonly #pings: NodeJS.Timeout;
  #isFull = false;
  #isOver = false;
  #wroteAt = performance.now();

  constructor(sink: ReplySink) {
    this.#sink = sink;
    this.#pings = setInterval(() => {
      if (performance.now() - this.#wroteAt >= pingMs * 0.9) this.#write(": ping\n\n");
    }, pingMs).unref();
  }

  /** False asks whoever writes tokens to pause. */
  get wantsMore(): boolean {
    return !this.#isFull;
  }

  event(event: JobEvent): void {
    this.#write(encodeEvent(event));
    if (event.type !== "result") return;
    this.#write("data: [DONE]\n\n");
    this.close();
    this.#sink.end();
  }

  token(token: TokenEvent): void {
    this.#write(`event: token\ndata: ${JSON.stringify(token)}\n\n`);
  }

  /** The client reads again. */
  resume(): void {
    this.#isFull = false;
  }

  /** Nobody reads any more. */
  close(): void {
    this.#isOver = true;
    clearInterval(this.#pings);
  }

  #write(text: string): void {
    if (this.#isOver) return;
    this.#wroteAt = performance.now();
    this.#isFull = !this.#sink.write(encoder.encode(text));
  }
}
