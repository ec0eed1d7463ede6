import { errorCatalogue, RbeeError, type JobEvent } from "@rbee/contract";
import { systemClock, type Clock } from "./clock.ts";
import { readJobEvents, type EventReaderOptions } from "./event-reader.ts";

export interface FollowOptions extends Omit<EventReaderOptions, "afterSeq"> {
  /** How often in a row it tries to connect without getting a new event; default 6. */
  attempts?: number;
}

const firstWaitMs = 500;
const longestWaitMs = 8_000;

/**
 * Reads a job on another machine to its result, over as many connections as it takes: after a cut it waits (0.5 s,
 * doubling, 8 s at most) and goes on after the last event it has, so that every event comes once.
 * @param open opens the stream of the events after `afterSeq`, for example with `Last-Event-ID`.
 * @throws {RbeeError} what `open` throws, and what `readJobEvents` throws, when it is nothing that trying again mends,
 *   or when the attempts are used up; the reason of the signal.
 */
export async function* followJobEvents(
  open: (afterSeq: number, signal: AbortSignal | undefined) => Promise<Response>,
  options: FollowOptions = {},
): AsyncGenerator<JobEvent, void, undefined> {
  const { attempts = 6, signal, clock = systemClock } = options;
  let afterSeq = 0;
  for (let failures = 0; ;) {
    try {
      const { body } = await open(afterSeq, signal);
      for await (const event of readJobEvents(body, { ...options, afterSeq })) {
        afterSeq = event.seq;
        failures = 0;
        yield event;
        if (event.type === "result") return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      failures++;
      if (!isConnectionError(error) || failures >= attempts) throw error;
      await wait(clock, Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1)), signal);
    }
  }
}

const isConnectionError = (error: unknown): boolean =>
  error instanceof RbeeError && errorCatalogue[error.code].retry === "connect";

async function wait(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const abort = () => {
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  const cancelTimer = clock.after(ms, () => {
    resolve(undefined);
  });
  try {
    await promise;
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", abort);
  }
}
