import { setTimeout as delay } from "node:timers/promises";
import { RbeeError } from "@rbee/contract";

/** A hive that is waited for, as far as waiting needs it. */
export interface Reachable {
  readonly name: string;
  /** Whether it sends heartbeats and has told what it has. */
  isUp(): boolean;
  /** Whether it is too early to expect that it answers. */
  isStarting(): boolean;
  /** Asks whether it is there. @throws {RbeeError} `hive_unreachable` when no connection can be made. */
  probe(signal: AbortSignal): Promise<void>;
}

export interface Patience {
  /** How many connection errors in a row are enough. */
  readonly attempts: number;
  /** How long it may take in all, in milliseconds. */
  readonly limitMs: number;
  readonly everyMs: number;
}

/** As long as a hive may take to be ready, unless it cannot even be connected to. */
export const hivePatience: Patience = { attempts: 10, limitMs: 60_000, everyMs: 300 };

/** The innermost reason of an error: what the network said rather than what was made of it. */
export function rootCause(thrown: unknown): string {
  const cause: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
  const next = cause ?? (thrown instanceof Error ? thrown.cause : undefined);
  if (next instanceof Error) return rootCause(next);
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Waits until a hive answers and reports, and gives up early when it cannot be connected to.
 * @throws {RbeeError} `hive_unreachable` with the last real error after so many in a row; `hive_down` when it answers
 * and does not report in time; the signal's reason.
 */
export async function awaitHive(hive: Reachable, patience: Patience, signal: AbortSignal): Promise<void> {
  const { name } = hive;
  const deadline = performance.now() + patience.limitMs;
  let errors = 0;
  let last: unknown;
  for (;;) {
    signal.throwIfAborted();
    try {
      await hive.probe(signal);
      errors = 0;
      if (hive.isUp()) return;
    } catch (error) {
      signal.throwIfAborted();
      last = error;
      if (!hive.isStarting()) errors++;
    }
    const isOver = performance.now() > deadline;
    if (errors >= patience.attempts || (isOver && errors > 0)) {
      const times = errors === 1 ? "" : ` (${errors} attempts)`;
      throw new RbeeError("hive_unreachable", `${name} does not accept connections${times}: ${rootCause(last)}.`, {
        details: { attempts: errors, last_error: rootCause(last) },
        suggestion: "Check that the machine is on, that rbee-hive runs there, and that its port is open.",
        cause: last,
      });
    }
    if (isOver)
      throw new RbeeError("hive_down", `${name} answers, but has not reported within ${patience.limitMs / 1_000} s.`, {
        suggestion: "Its log says what it waits for: `rbee hive logs` shows it.",
      });
    await delay(patience.everyMs, undefined, { signal });
  }
}
