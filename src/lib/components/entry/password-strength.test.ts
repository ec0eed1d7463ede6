import { describe, expect, it } from "vitest";
import { strengthOf } from "./password-strength.ts";

describe("a password hint", () => {
  it("counts what is missing", () => {
    expect(strengthOf("abc").text).toBe("5 more characters");
    expect(strengthOf("abcdefg").text).toBe("1 more character");
  });

  it("calls the usual passwords weak however long they are dressed up", () => {
    for (const password of ["password1", "12345678", "qwerty123", "aaaaaaaaaaaa"])
      expect(strengthOf(password).level).toBe("weak");
  });

  it("takes a password with the person's own name for weaker", () => {
    expect(strengthOf("margarethe99", "margarethe").level).toBe("weak");
  });

  it("calls a few unrelated words strong", () => {
    expect(strengthOf("lantern otter gravel").level).toBe("strong");
  });
});
