import { RbeeError, streamErrorEvent } from "@rbee/contract";
import type { ReplyFlow, ReplySink } from "./reply.ts";
import { createMeter, type Meter } from "./metering.ts";
import { brokenOff, type Upstream } from "./upstream.ts";

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
  /** Lets the stream flow; cancelling the flow drops the worker's answer. */
  flow(sink: ReplySink): ReplyFlow;
  /** Ends the relay with an error event, as when the hive is gone. */
  fail(error: RbeeError): void;
  /** When bytes last came, by `performance.now()`. */
  lastByteAt(): number;
}

/**
 * Waits for the first bytes of a stream, so that a failure before them can still go to another worker.
 * Resolves with null when the stream ended without any.
 * @throws {RbeeError} `hive_unreachable` when the connection broke, `worker_stalled`.
 */
export function firstBytes({
  upstream,
  hiveName,
  stallMs,
}: Pick<RelayOptions, "upstream" | "hiveName" | "stallMs">): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      upstream.read(null);
      upstream.abort();
      reject(new RbeeError("worker_stalled", `The worker sent nothing for ${stallMs / 1000} s.`));
    }, stallMs);
    upstream.read({
      data(chunk) {
        clearTimeout(timer);
        upstream.read(null);
        resolve(chunk);
      },
      end() {
        clearTimeout(timer);
        resolve(null);
      },
      error(cause) {
        clearTimeout(timer);
        reject(brokenOff(cause, hiveName));
      },
    });
  });
}

/**
 * Passes a worker's stream on byte by byte, at the client's pace, and meters it on the way. A stream that breaks,
 * stalls or ends too early ends with an error event instead of `[DONE]`.
 */
export function relayStream(options: RelayOptions, first: Buffer): StartedRelay {
  const { upstream, hiveName, signal, stallMs, onEnd } = options;
  const meter = createMeter();
  let firstTextAt: number | null = null;
  let lastByteAt = performance.now();
  let ended: { readonly event: RbeeError | null } | undefined;
  let sink: ReplySink | undefined;

  const end = (error: RbeeError | null, event: RbeeError | null) => {
    if (ended !== undefined) return;
    ended = { event };
    clearTimeout(stall);
    signal.removeEventListener("abort", onAbort);
    upstream.read(null);
    if (error !== null) upstream.abort();
    // Whatever the way to the client makes of it: the request is over, and its seat is free.
    try {
      if (event !== null) sink?.write(errorEvent(event));
      sink?.end();
    } finally {
      onEnd({ meter, error, firstTextAt });
    }
  };
  const fail = (error: RbeeError) => {
    end(error, error);
  };
  const onAbort = () => {
    // Who was told to end it may still be reading; who left is not.
    const { reason } = signal as { reason: unknown };
    if (reason instanceof RbeeError) fail(reason);
    else end(left(), null);
  };
  // One timer that looks at the time of the last byte costs less than one that every token moves.
  const watch = () => {
    const quiet = performance.now() - lastByteAt;
    // While the client does not read, the silence is not the worker's.
    if (quiet >= stallMs && !upstream.paused)
      fail(new RbeeError("worker_stalled", `The worker sent nothing for ${stallMs / 1000} s.`));
    else stall = setTimeout(watch, Math.max(50, stallMs - quiet)).unref();
  };
  let stall = setTimeout(watch, stallMs).unref();
  const take = (chunk: Buffer) => {
    lastByteAt = performance.now();
    // The client has it before it is counted.
    if (sink?.write(chunk) === false) upstream.pause();
    meter.take(chunk);
    if (firstTextAt === null && meter.answered) firstTextAt = lastByteAt;
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });

  return {
    flow(opened) {
      sink = opened;
      if (ended === undefined) {
        take(first);
        upstream.read({
          data: take,
          end() {
            const fault = faultOf(meter);
            end(fault?.error ?? null, fault === null || fault.told ? null : fault.error);
          },
          error(cause) {
            fail(brokenOff(cause, hiveName));
          },
        });
      } else {
        // It failed before anybody could read.
        if (ended.event !== null) opened.write(errorEvent(ended.event));
        opened.end();
      }
      return {
        resume() {
          if (upstream.paused) lastByteAt = performance.now();
          upstream.resume();
        },
        cancel() {
          if (ended === undefined) end(left(), null);
        },
      };
    },
    fail,
    lastByteAt: () => lastByteAt,
  };
}
