import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { createBreaker } from "./breaker.ts";

const error = (text = "The file is damaged.") => new RbeeError("worker_spawn_failed", text);

function breakerAt(start = 1_000_000) {
  const clock = { now: start };
  const settings = { slots: 1 };
  const breaker = createBreaker(
    () => clock.now,
    (model) => `${model} ${settings.slots}`,
  );
  const fail = (times: number) => {
    for (let n = 0; n < times; n++) breaker.failed("bee", "attic", error());
  };
  return { breaker, clock, settings, fail };
}

describe("a model that fails to load on a hive", () => {
  it("three times in a row is left alone there for 30 s, with its last error, and nowhere else", () => {
    const { breaker, clock, fail } = breakerAt();
    fail(2);
    expect(breaker.open("bee").size).toBe(0);
    expect(breaker.state("bee", "attic")).toMatchObject({ failures: 2, retryAt: null });
    breaker.failed("bee", "attic", error("Its last words."));
    expect(breaker.open("bee").get("attic")).toMatchObject({ failures: 3, retryAfterS: 30 });
    expect(breaker.state("bee", "attic")?.error.message).toBe("Its last words.");
    expect([...breaker.open("bee").keys(), ...breaker.open("wasp").keys()]).toEqual(["attic"]);
    clock.now += 30_000;
    expect(breaker.open("bee").size).toBe(0);
  });

  it("again is left alone twice as long each time, five minutes at most", () => {
    const { breaker, clock, fail } = breakerAt();
    fail(2);
    for (const pause of [30, 60, 120, 240, 300, 300]) {
      fail(1);
      expect(breaker.open("bee").get("attic")?.retryAfterS).toBe(pause);
      clock.now += pause * 1_000;
    }
  });

  it("is forgiven everything once it loads", () => {
    const { breaker, fail } = breakerAt();
    fail(5);
    breaker.succeeded("bee", "attic");
    expect(breaker.open("bee").size).toBe(0);
    fail(2);
    expect(breaker.state("bee", "attic")?.failures).toBe(2);
  });

  it("may be tried at once with other settings", () => {
    const { breaker, settings, fail } = breakerAt();
    fail(3);
    settings.slots = 2;
    expect(breaker.open("bee").size).toBe(0);
    settings.slots = 1;
    expect(breaker.open("bee").size).toBe(1);
  });
});
