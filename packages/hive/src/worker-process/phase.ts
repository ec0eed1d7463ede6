import { RbeeError, type ErrorBody, type WorkerState } from "@rbee/contract";

/** What a worker that serves has told about itself. */
export interface Serving {
  readonly slots_total: number;
  readonly context_length: number;
  readonly slots_busy: number;
  readonly queued: number;
  readonly tokens_per_s: number;
  readonly ready_at: number;
}

/** Where a worker is in its life, with what is known only there. */
export type Phase =
  | { readonly kind: "starting" }
  | { readonly kind: "loading"; readonly progress: number }
  | { readonly kind: "serving"; readonly serving: Serving }
  /** It crashed and waits for its next start. */
  | { readonly kind: "recovering" }
  | { readonly kind: "draining"; readonly serving: Serving | null; readonly endsAt: number }
  | { readonly kind: "stopped"; readonly at: number }
  | { readonly kind: "failed"; readonly at: number };

/** The state that the contract knows. A crashed worker that will be started again is `starting`. */
export function stateOf(phase: Phase): WorkerState {
  switch (phase.kind) {
    case "serving":
      return phase.serving.slots_busy > 0 ? "busy" : "ready";
    case "recovering":
      return "starting";
    default:
      return phase.kind;
  }
}

export function servingIn(phase: Phase): Serving | null {
  return phase.kind === "serving" || phase.kind === "draining" ? phase.serving : null;
}

/** Share of the model that is loaded; null when nothing is being loaded. */
export function loadProgressIn(phase: Phase): number | null {
  if (phase.kind === "loading") return phase.progress;
  return stateOf(phase) === "starting" ? 0 : null;
}

/** Why a worker in this phase takes no requests; `failure` is why it failed, if it did. */
export function refusalIn(phase: Phase, failure: ErrorBody["error"] | null): RbeeError {
  switch (phase.kind) {
    case "draining":
      return new RbeeError("worker_busy", "The worker is being stopped and takes no more requests.", {
        retryAfterS: 1,
      });
    case "failed":
      if (failure === null) return new RbeeError("worker_crashed", "The worker has failed.");
      return RbeeError.fromBody({ error: failure }, "worker_crashed");
    case "stopped":
      return new RbeeError("worker_not_found", "The worker has been stopped.");
    default:
      return new RbeeError("model_loading", "The model is still loading.", { retryAfterS: 1 });
  }
}

/** Why an answer of a worker that is in this phase now was cut off, as an error to tell; null when that is not known. */
export function cutOffBy(phase: Phase, failure: ErrorBody["error"] | null): RbeeError | null {
  switch (phase.kind) {
    case "draining":
    case "stopped":
      return new RbeeError("worker_busy", "The worker was stopped before its answer was complete.", { retryAfterS: 1 });
    case "recovering":
    case "failed":
      return failure === null ? null : RbeeError.fromBody({ error: failure }, "worker_crashed");
    default:
      return null;
  }
}
