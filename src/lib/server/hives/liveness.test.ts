import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { healthOf } from "./liveness.ts";

const at = (ageMs: number) => healthOf({ lastHeartbeatAt: 0, expectedSince: 0, knownBefore: true }, ageMs);

describe("a hive's health", () => {
  it("is healthy under 3 s, degraded to 10 s, then down", () => {
    expect([0, 2_999, 3_000, 10_000, 10_001].map(at)).toEqual(["healthy", "healthy", "degraded", "degraded", "down"]);
  });

  it("is starting until a new hive's first heartbeat, however long that takes", () => {
    expect(healthOf({ lastHeartbeatAt: null, expectedSince: 0, knownBefore: false }, 1e9)).toBe("starting");
  });

  it("of a known hive is starting for 10 s after the queen's own start", () => {
    const restarted = { lastHeartbeatAt: null, expectedSince: 0, knownBefore: true };
    expect([0, 10_000, 10_001].map((now) => healthOf(restarted, now))).toEqual(["starting", "starting", "down"]);
  });

  it("never gets better by waiting", () => {
    const order = ["healthy", "degraded", "down"];
    fc.assert(
      fc.property(fc.nat(60_000), fc.nat(60_000), (age, more) => {
        expect(order.indexOf(at(age + more))).toBeGreaterThanOrEqual(order.indexOf(at(age)));
      }),
    );
  });
});
