/**
 * The hive's side of heartbeats and discovery as a pure state machine.
 * - `startup`: nothing was sent yet.
 * - `discovery_push`: the hive looks for its queen, `failures` times in vain so far.
 * - `discovery_wait`: it gave up and is silent until the queen calls.
 * - `telemetry`: a heartbeat a second; `missed` of them in a row did not arrive.
 */
export type HeartbeatState =
  | { readonly kind: "startup" }
  | { readonly kind: "discovery_push"; readonly failures: number }
  | { readonly kind: "discovery_wait" }
  | { readonly kind: "telemetry"; readonly missed: number };

export type HeartbeatEvent =
  | { readonly kind: "started"; readonly queenKnown: boolean }
  /** The queen called and said where it is. */
  | { readonly kind: "queen_called" }
  | { readonly kind: "delivered" }
  /** A heartbeat did not arrive; finding that out took `tookMs`. */
  | { readonly kind: "failed"; readonly tookMs: number };

/** What the driver does next: send after a while, or wait until something happens. */
export interface Step {
  readonly state: HeartbeatState;
  /** Milliseconds until the next heartbeat; null is silence. */
  readonly sendInMs: number | null;
}

export const heartbeatIntervalMs = 1_000;
/** Waits before the second and later attempts of a search. */
export const discoveryWaitsMs = [2_000, 4_000, 8_000, 16_000] as const;
export const missedLimit = 10;

const search: Step = { state: { kind: "discovery_push", failures: 0 }, sendInMs: 0 };
const silence: Step = { state: { kind: "discovery_wait" }, sendInMs: null };

/** The state after an event, and when to send next. */
export function transition(state: HeartbeatState, event: HeartbeatEvent): Step {
  switch (event.kind) {
    case "started":
      return event.queenKnown ? search : silence;
    case "queen_called":
      return afterCall(state);
    case "delivered":
      return { state: { kind: "telemetry", missed: 0 }, sendInMs: heartbeatIntervalMs };
    case "failed":
      return afterFailure(state, event.tookMs);
  }
}

function afterCall(state: HeartbeatState): Step {
  switch (state.kind) {
    case "discovery_wait":
      return { state: { kind: "telemetry", missed: 0 }, sendInMs: 0 };
    case "startup":
    case "discovery_push":
      return search;
    case "telemetry":
      return { state, sendInMs: state.missed === 0 ? heartbeatIntervalMs : 0 };
  }
}

function afterFailure(state: HeartbeatState, tookMs: number): Step {
  if (state.kind === "telemetry") {
    // A queen that lets a heartbeat hang for 10 s misses ten, though only one was sent.
    const missed = state.missed + Math.max(1, Math.floor(tookMs / heartbeatIntervalMs));
    if (missed >= missedLimit) return search;
    return { state: { kind: "telemetry", missed }, sendInMs: Math.max(0, heartbeatIntervalMs - tookMs) };
  }
  if (state.kind !== "discovery_push") return { state, sendInMs: null };
  const waitMs = discoveryWaitsMs[state.failures];
  if (waitMs === undefined) return silence;
  return { state: { kind: "discovery_push", failures: state.failures + 1 }, sendInMs: waitMs };
}
