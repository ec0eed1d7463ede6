import { lastWordsMark, RbeeError } from "@rbee/contract";
import type { ExitReason } from "../engines/engine.ts";

/** `worker_load_timeout`: a model that did not load within its limit. */
export function loadTimeout(model: string, limitMs: number): RbeeError {
  return new RbeeError("worker_load_timeout", `${model} did not load within ${limitMs / 1_000} s.`, {
    suggestion: "Raise RBEE_LOAD_TIMEOUT on that machine, or take a smaller model.",
  });
}

/** `worker_spawn_failed`: a process that ended before it was ready. @param lastLines of what it said. */
export function spawnFailed(
  reason: ExitReason,
  lastLines: readonly string[],
  startError: Error | undefined,
): RbeeError {
  const said = lastLines.length === 0 ? "" : `${lastWordsMark}${lastLines.join(" | ").slice(0, 600)}`;
  return new RbeeError("worker_spawn_failed", `The worker process ended before it was ready (${reason}).${said}`, {
    details: { reason, last_lines: lastLines },
    suggestion: "Look into the worker's log on that machine.",
    cause: startError,
  });
}

/** `worker_crashed`: a process that served and died. @param memoryRanOut whether the system has lately ended one for that. */
export function crashed(reason: ExitReason, memoryRanOut: () => boolean): RbeeError {
  if (reason !== "signal SIGKILL" || !memoryRanOut())
    return new RbeeError("worker_crashed", `The worker process died (${reason}).`, { details: { reason } });
  return new RbeeError(
    "worker_crashed",
    `The worker process was ended by the system, which had no memory left (${reason}).`,
    {
      details: { reason, out_of_memory: true },
      suggestion:
        "Ask for a shorter context or fewer slots, take a smaller model, or end what else needs memory there.",
    },
  );
}
