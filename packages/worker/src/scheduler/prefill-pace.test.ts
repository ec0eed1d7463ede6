import { describe, expect, it } from "vitest";
import { PrefillPace } from "./prefill-pace.ts";

describe("PrefillPace", () => {
  it("reads more of a prompt at once when nobody waits for a token", () => {
    const pace = new PrefillPace(512);
    pace.measured(128, 128);
    expect(pace.budget(true)).toBe(64);
    expect(pace.budget(false)).toBe(256);
  });

  it("uses the whole batch on a fast machine, and never less than 32 on a slow one", () => {
    const fast = new PrefillPace(2048);
    fast.measured(1000, 10);
    expect(fast.budget(true)).toBe(2048);
    const slow = new PrefillPace(512);
    slow.measured(100, 10_000);
    expect(slow.budget(true)).toBe(32);
  });

  it("learns nothing from steps that computed next to no prompt", () => {
    const pace = new PrefillPace(512);
    pace.measured(1, 5000);
    expect(pace.budget(true)).toBe(128);
  });
});
