import type { Readable } from "node:stream";
import { RbeeError, streamErrorEvent } from "@rbee/contract";
import { createMeter, type Meter } from "./metering.ts";
import type { Upstream } from "./upstream.ts";

/** How a relayed answer ended. */
export interface RelayEnd {
  readonly meter: Meter;
  /** Null when all went well. */
  readonly error: RbeeError | null;
  /** When the first text of the answer came, by `performance.now()`. */
  readonly firstTextAt: number | null;
}

export interface RelayOptions {
  readonly upstream: Upstream;
  readonly hiveName: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /** Longest silence of a stream, in milliseconds. */
  readonly stallMs: number;
  /** Called once, however the stream ends. */
  readonly onEnd: (end: RelayEnd) => void;
}

const encoder = new TextEncoder();
/** Begins with a blank line, so that the event stands alone even after half a line. */
const errorEvent = (error: RbeeError) => encoder.encode(`\n\n${streamErrorEvent(error)}`);

const left = () => new RbeeError("request_cancelled", "The client went away.");

/** Why a stream may not count as answered although its bytes ended cleanly; null when it may. */
function faultOf(meter: Meter): { error: RbeeError; told: boolean } | null {
  if (meter.done) return null;
  const told = meter.errorCode !== null;
  const code = meter.errorCode ?? "worker_crashed";
  const error = RbeeError.fromBody(
    { error: { message: "The worker ended before its answer was complete.", type: "", param: null, code } },
    "worker_crashed",
  );
  return { error, told };
}

/** A relay whose first bytes have come. */
export interface StartedRelay {
  /** For the client; cancelling it drops the worker's answer. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Ends the relay with an error event, as when the hive is gone. */
  fail(error: RbeeError): void;
  /** When bytes last came, by `performance.now()`. */
  lastByteAt(): number;
}

/**
 * Waits for the first bytes of a stream, so that a failure before them can still go to another worker.
 * Resolves with null when the stream ended without any.
 * @throws {RbeeError} `hive_unreachable` when the connection broke.
 */
export async function firstBytes({ upstream, hiveName, signal, stallMs }: RelayOptions): Promise<Buffer | null> {
  const { body } = upstream;
  return new Promise((resolve, reject) => {
    const settle = (action: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      body.off("readable", onReadable).off("end", onEnd).off("error", onError);
      action();
    };
    const onReadable = () => {
      const chunk = body.read() as Buffer | null;
      if (chunk !== null) {
        settle(() => {
          resolve(chunk);
        });
      }
    };
    const onEnd = () => {
      settle(() => {
        resolve(null);
      });
    };
    const onError = (cause: Error) => {
      settle(() => {
        reject(new RbeeError("hive_unreachable", `The connection to ${hiveName} broke.`, { cause }));
      });
    };
    const onAbort = () => {
      settle(() => {
        upstream.abort();
        reject(left());
      });
    };
    const timer = setTimeout(() => {
      settle(() => {
        upstream.abort();
        reject(new RbeeError("worker_stalled", `The worker sent nothing for ${stallMs / 1000} s.`));
      });
    }, stallMs);
    body.on("readable", onReadable).on("end", onEnd).on("error", onError);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Passes a worker's stream on byte by byte, at the client's pace, and meters it on the way. A stream that breaks,
 * stalls or ends too early ends with an error event instead of `[DONE]`.
 */
export function relayStream(options: RelayOptions, first: Buffer): StartedRelay {
  const { upstream, hiveName, signal, stallMs, onEnd } = options;
  const body: Readable = upstream.body;
  const meter = createMeter();
  let firstTextAt: number | null = null;
  let lastByteAt = performance.now();
  let ended = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let stall: NodeJS.Timeout | undefined;

  const end = (error: RbeeError | null, event: RbeeError | null) => {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    signal.removeEventListener("abort", onAbort);
    if (error !== null) upstream.abort();
    try {
      if (event !== null) controller?.enqueue(errorEvent(event));
      controller?.close();
    } catch {
      // The client has cancelled the stream already.
    }
    onEnd({ meter, error, firstTextAt });
  };
  const fail = (error: RbeeError) => {
    end(error, error);
  };
  const onAbort = () => {
    end(left(), null);
  };
  // One timer that looks at the time of the last byte costs less than one that every token moves.
  const watch = () => {
    const quiet = performance.now() - lastByteAt;
    // While the client does not read, the silence is not the worker's.
    if (quiet >= stallMs && !body.isPaused())
      fail(new RbeeError("worker_stalled", `The worker sent nothing for ${stallMs / 1000} s.`));
    else stall = setTimeout(watch, Math.max(50, stallMs - quiet)).unref();
  };
  const take = (chunk: Buffer) => {
    if (ended) return;
    lastByteAt = performance.now();
    meter.take(chunk);
    if (firstTextAt === null && meter.answered) firstTextAt = lastByteAt;
    controller?.enqueue(chunk);
    if ((controller?.desiredSize ?? 0) <= 0) body.pause();
  };

  const stream = new ReadableStream<Uint8Array>(
    {
      start(streamController) {
        controller = streamController;
        take(first);
        const onEnded = () => {
          const fault = faultOf(meter);
          end(fault?.error ?? null, fault === null || fault.told ? null : fault.error);
        };
        const onBroken = (cause: Error) => {
          fail(new RbeeError("hive_unreachable", `The connection to ${hiveName} broke.`, { cause }));
        };
        body.on("data", take).on("end", onEnded).on("error", onBroken);
        // Either may have happened between the first bytes and now.
        if (body.errored !== null) onBroken(body.errored);
        else if (body.readableEnded) onEnded();
        stall = setTimeout(watch, stallMs).unref();
        if (signal.aborted) onAbort();
        else signal.addEventListener("abort", onAbort, { once: true });
      },
      pull() {
        lastByteAt = body.isPaused() ? performance.now() : lastByteAt;
        body.resume();
      },
      cancel() {
        end(left(), null);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 }),
  );
  return { stream, fail, lastByteAt: () => lastByteAt };
}
