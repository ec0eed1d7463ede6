import { describe, expect, it } from "vitest";
import { nextPage } from "./next-page.ts";

describe("the page after signing in", () => {
  it("is the one that was asked for", () => {
    expect(nextPage("/machines?x=1#add")).toBe("/machines?x=1#add");
    expect(nextPage("/")).toBe("/");
  });

  it("is never on another site", () => {
    for (const asked of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "\\\\evil.example",
      "javascript:alert(1)",
      "/\t/evil.example",
      "/\n/evil.example",
      "evil.example",
      "/a\\b",
      "",
    ])
      expect(nextPage(asked)).toBe("/");
    expect(nextPage(null)).toBe("/");
  });

  it("is never sign-in itself", () => {
    expect(nextPage("/login?next=/login")).toBe("/");
    expect(nextPage("/setup")).toBe("/");
    expect(nextPage("/loginhelp")).toBe("/loginhelp");
  });
});
