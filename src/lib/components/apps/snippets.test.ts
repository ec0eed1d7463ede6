import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { languages, snippet } from "./snippets.ts";

const facts = { apiUrl: "http://192.168.1.20:7833", key: "rbee_abc", model: "bee-tiny" };

describe("a snippet", () => {
  it("holds this household's address, the key and the model", () => {
    for (const language of languages) {
      const text = snippet(language, facts);
      expect(text).toContain("http://192.168.1.20:7833/v1");
      expect(text).toContain("rbee_abc");
      expect(text).toContain("bee-tiny");
    }
  });

  it("for curl is what a shell understands, whatever is in the model's name", () => {
    const shown = snippet("curl", { ...facts, model: "it's" }).replace(/^curl/u, "printf '%s\\0'");
    const words = execFileSync("sh", ["-c", shown], { encoding: "utf8" }).split("\0").slice(0, -1);
    expect(words[0]).toBe("http://192.168.1.20:7833/v1/chat/completions");
    expect(words).toContain("Authorization: Bearer rbee_abc");
    expect(JSON.parse(words.at(-1) ?? "")).toMatchObject({ model: "it's" });
  });
});
