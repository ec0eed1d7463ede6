import { describe, expect, it } from "vitest";
import { duration, relative, span } from "./times.ts";

const now = 1_700_000_000_000;

describe("times", () => {
  it("use the largest sensible unit", () => {
    expect(duration(420)).toBe("420 ms");
    expect(duration(1_400)).toBe("1.4 s");
    expect(duration(12_300)).toBe("12 s");
    expect(span(3 * 60_000 + 59_000)).toBe("3 min");
    expect(span(26 * 3_600_000)).toBe("1 d");
  });

  it("never show a rounded-up unit that is out of its range", () => {
    expect(duration(996)).toBe("1.0 s");
    expect(duration(9_960)).toBe("9 s");
    expect(span(59_999)).toBe("59 s");
  });

  it("say how far away a moment is, before and after now", () => {
    expect(relative(now - 12_000, now)).toBe("12 s ago");
    expect(relative(now + 3 * 86_400_000, now)).toBe("in 3 d");
    expect(relative(now + 7 * 86_400_000 - 800, now)).toBe("in 7 d");
    expect(relative(now - 1_000, now)).toBe("just now");
    expect(relative(now + 500, now)).toBe("just now");
  });

  it("say nothing about a moment that is not known", () => {
    expect(relative(null, now)).toBe("–");
    expect(duration(null)).toBe("–");
  });
});
