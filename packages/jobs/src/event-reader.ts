import { jobEventSchema, RbeeError, type JobEvent } from "@rbee/contract";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { systemClock, type Clock } from "./clock.ts";

export interface EventReaderOptions {
  /** Who sends, as errors call it; default `The other side`. */
  source?: string;
  /** The last event that is known already; events up to it are left out. */
  afterSeq?: number;
  /** Without a byte for so long, the connection counts as lost; pings come every 15 s. Default 45 000. */
  silenceMs?: number;
  clock?: Clock;
  /** Stops reading; its reason is thrown. */
  signal?: AbortSignal | undefined;
}

const largestEvent = 4 * 1024 * 1024;

/**
 * Reads the stream of a job, event by event; kinds that are not known here are left out. Leaving the loop cancels
 * the stream.
 * @throws {RbeeError} `hive_unreachable` when the stream breaks off, or falls silent, before a result and `[DONE]`;
 *   `hive_invalid_response` for what is no job stream, or one with a gap in its numbers.
 */
export async function* readJobEvents(
  body: ReadableStream<Uint8Array> | null,
  options: EventReaderOptions = {},
): AsyncGenerator<JobEvent, void, undefined> {
  const { source = "The other side", signal } = options;
  if (body === null) throw new RbeeError("hive_invalid_response", `${source} answered without a stream.`);
  const order = new Order(source, options.afterSeq ?? 0);
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message), maxBufferSize: largestEvent });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const chunk = await nextChunk(reader, options);
      if (chunk === undefined) throw lost(source, "The stream broke off.");
      try {
        parser.feed(decoder.decode(chunk, { stream: true }));
      } catch (cause) {
        throw new RbeeError("hive_invalid_response", `${source} sent an event that is too large.`, { cause });
      }
      for (const message of messages.splice(0)) {
        if (message.data === "[DONE]") {
          if (order.hasResult) return;
          throw lost(source, "The stream ended without a result.");
        }
        const event = eventOf(message, source);
        if (event !== undefined && order.isNew(event)) yield event;
        signal?.throwIfAborted();
      }
    }
  } finally {
    // The other side may be gone; nobody waits for it to notice.
    reader.cancel().catch(() => {});
  }
}

const lost = (source: string, words: string, cause?: unknown): RbeeError =>
  new RbeeError("hive_unreachable", `The connection to ${source} was lost. ${words}`, {
    suggestion: "Check that the machine is on and reachable; its own log of the job goes on there.",
    cause,
  });

/** Undefined at the stream's end. */
async function nextChunk(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { source = "The other side", silenceMs = 45_000, clock = systemClock, signal }: EventReaderOptions,
): Promise<Uint8Array | undefined> {
  signal?.throwIfAborted();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const abort = () => {
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  const cancelTimer = clock.after(silenceMs, () => {
    reject(lost(source, `Nothing came for ${silenceMs / 1_000} s.`));
  });
  const reading = reader.read().then(
    ({ value }) => value,
    (cause: unknown) => {
      throw lost(source, "The stream broke off.", cause);
    },
  );
  try {
    return await Promise.race([reading, interrupted]);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", abort);
  }
}

const kinds: ReadonlySet<string> = new Set(["narration", "progress", "result"]);

function eventOf(message: EventSourceMessage, source: string): JobEvent | undefined {
  if (message.event === undefined || !kinds.has(message.event)) return undefined;
  try {
    const data: unknown = JSON.parse(message.data);
    return jobEventSchema.parse({ ...(data as object), type: message.event });
  } catch (cause) {
    throw new RbeeError("hive_invalid_response", `${source} sent an event that is not part of the protocol.`, {
      cause,
    });
  }
}

/** Sees to it that every number comes once, and none is missing. */
class Order {
  readonly #source: string;
  #seq: number;
  hasResult = false;

  constructor(source: string, seq: number) {
    this.#source = source;
    this.#seq = seq;
  }

  isNew(event: JobEvent): boolean {
    this.hasResult ||= event.type === "result";
    if (event.seq <= this.#seq) return false;
    if (event.seq !== this.#seq + 1)
      throw new RbeeError("hive_invalid_response", `${this.#source} left out events before number ${event.seq}.`);
    this.#seq = event.seq;
    return true;
  }
}
