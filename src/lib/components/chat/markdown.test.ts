import { render } from "svelte/server";
import { describe, expect, it } from "vitest";
import Markdown from "./Markdown.svelte";
import { safeLink } from "./markdown.ts";

const html = (text: string) => render(Markdown, { props: { text } }).body;

describe("a model's answer", () => {
  it("never becomes HTML of the page", () => {
    for (const attack of [
      "<script>alert(1)</script>",
      "<img src=x onerror=alert(1)>",
      "Hi <b onclick=alert(1)>there</b>",
      "<iframe src=https://example.org></iframe>",
      "<a href='javascript:alert(1)'>x</a>",
      "<svg/onload=alert(1)>",
      "- <details open ontoggle=alert(1)>",
    ]) {
      const shown = html(attack);
      expect(shown).not.toMatch(/<(?:script|img|b|iframe|svg|details)\b(?! class)(?! viewBox)/u);
      expect(shown).not.toMatch(/<[^>]+\son\w+=/u);
      expect(shown).not.toMatch(/href="?javascript/iu);
      expect(shown).toContain("&lt;");
    }
  });

  it("links to the web only, and says so to the browser", () => {
    const shown = html("[a](https://example.org) [b](javascript:alert(1)) [c](data:text/html,x) [d](/account)");
    expect(shown.match(/<a /gu)).toHaveLength(1);
    expect(shown).toContain('rel="noopener noreferrer nofollow"');
    expect(safeLink("JaVaScRiPt:alert(1)")).toBe("");
    expect(safeLink("https://example.org/a?b")).toBe("https://example.org/a?b");
  });

  it("loads no picture from elsewhere", () => {
    const shown = html("![secret](https://example.org/pixel.png?q=1)");
    expect(shown).not.toContain("<img");
    expect(shown).toContain("secret");
  });

  it("shows lists, emphasis and code", () => {
    const shown = html("**bold** and `code`\n\n- one\n- two\n\n```js\nlet a = 1;\n```");
    expect(shown).toContain("<strong>");
    expect(shown).toContain("<li>");
    expect(shown).toContain("let a = 1;");
  });
});
