import { describe, expect, it } from "vitest";
import { Conversation, understand } from "./conversation.ts";

describe("what is typed into a chat", () => {
  it("is a command only when it begins with a slash and a word", () => {
    expect(understand("  /exit ")).toEqual({ kind: "exit" });
    expect(understand("/model bee-tiny")).toEqual({ kind: "model", value: "bee-tiny" });
    expect(understand("/model")).toEqual({ kind: "model", value: undefined });
    expect(understand("/system Be kind.\nBe brief.")).toEqual({ kind: "system", value: "Be kind.\nBe brief." });
    expect(understand("/fly")).toEqual({ kind: "unknown", command: "/fly" });
    expect(understand(" \n ")).toEqual({ kind: "nothing" });
    for (const text of ["/etc/passwd is what?", "what is /exit", "/ 2", "line one\n/exit"])
      expect(understand(text)).toEqual({ kind: "say", text });
  });
});

describe("a conversation", () => {
  it("hands on what was said and answered, behind the system message that is in force", () => {
    const conversation = new Conversation("Be kind.");
    conversation.messagesFor("never answered");
    conversation.answered("one", "1");
    conversation.system = "Be brief.";
    expect(conversation.messagesFor("two").map(({ role, content }) => `${role}: ${String(content)}`)).toEqual([
      "system: Be brief.",
      "user: one",
      "assistant: 1",
      "user: two",
    ]);
    conversation.forget();
    expect(conversation.messagesFor("three")).toHaveLength(2);
    expect(conversation.length).toBe(0);
  });
});
