import type { NarrationLevel } from "@rbee/contract";
import { currentScope, type Progress } from "./context.ts";

export interface Narration {
  /** Who speaks; default: the actor of the step or job. */
  actor?: string;
  /** What is being done, one word. */
  action: string;
  /** Default `info`. */
  level?: NarrationLevel;
  message: string;
  data?: Record<string, unknown>;
}

/**
 * Tells whoever follows the job that runs now what happens. Outside a job, and after its end, it goes to the
 * process's log only. Secrets are taken out.
 */
export function narrate(narration: Narration): void {
  const scope = currentScope();
  const { actor = scope.actor, action, level = "info", message } = narration;
  // Of several steps at once nobody could tell otherwise which one speaks.
  const data = scope.steps.length === 0 ? narration.data : { step_path: scope.steps, ...narration.data };
  scope.work.emit(scope, {
    type: "narration",
    actor,
    action,
    level,
    message,
    ...(data === undefined ? {} : { data }),
  });
}

/**
 * Says how far a phase is. Call it as often as it changes: at most four a second reach the stream, the last one of a
 * phase always does, and the rate in units per second is computed here.
 */
export function progress(progress: Progress): void {
  const scope = currentScope();
  scope.work.progress(scope, progress);
}
