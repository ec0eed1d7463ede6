import { describe, expect, it } from "vitest";
import { transition, type HeartbeatEvent, type HeartbeatState } from "./states.ts";

const failed: HeartbeatEvent = { kind: "failed", tookMs: 5 };

function walk(state: HeartbeatState, events: readonly HeartbeatEvent[]) {
  const waits: (number | null)[] = [];
  for (const event of events) {
    const step = transition(state, event);
    state = step.state;
    waits.push(step.sendInMs);
  }
  return { state, waits };
}

describe("the heartbeat state machine", () => {
  it("looks for a known queen five times, then falls silent", () => {
    const { state, waits } = walk({ kind: "startup" }, [
      { kind: "started", queenKnown: true },
      failed,
      failed,
      failed,
      failed,
      failed,
    ]);
    expect(waits).toEqual([0, 2_000, 4_000, 8_000, 16_000, null]);
    expect(state).toEqual({ kind: "discovery_wait" });
  });

  it("is silent from the start when no queen is known", () => {
    expect(transition({ kind: "startup" }, { kind: "started", queenKnown: false })).toEqual({
      state: { kind: "discovery_wait" },
      sendInMs: null,
    });
  });

  it("reports every second from the first heartbeat that arrives", () => {
    expect(transition({ kind: "discovery_push", failures: 3 }, { kind: "delivered" })).toEqual({
      state: { kind: "telemetry", missed: 0 },
      sendInMs: 1_000,
    });
  });

  it("begins to report when the queen calls during the silence", () => {
    expect(transition({ kind: "discovery_wait" }, { kind: "queen_called" })).toEqual({
      state: { kind: "telemetry", missed: 0 },
      sendInMs: 0,
    });
  });

  it("starts its search anew when the queen calls during one", () => {
    expect(transition({ kind: "discovery_push", failures: 4 }, { kind: "queen_called" })).toEqual({
      state: { kind: "discovery_push", failures: 0 },
      sendInMs: 0,
    });
  });

  it("looks for the queen again after ten missed heartbeats", () => {
    const { state, waits } = walk({ kind: "telemetry", missed: 0 }, Array<HeartbeatEvent>(10).fill(failed));
    expect(waits).toEqual([...Array<number>(9).fill(995), 0]);
    expect(state).toEqual({ kind: "discovery_push", failures: 0 });
  });

  it("counts a heartbeat that hung for ten seconds as ten missed ones", () => {
    expect(transition({ kind: "telemetry", missed: 0 }, { kind: "failed", tookMs: 10_000 }).state).toEqual({
      kind: "discovery_push",
      failures: 0,
    });
  });

  it("forgets missed heartbeats when one arrives", () => {
    expect(transition({ kind: "telemetry", missed: 9 }, { kind: "delivered" }).state).toEqual({
      kind: "telemetry",
      missed: 0,
    });
  });
});
