import { describe, expect, it } from "vitest";
import { MemoryEngine } from "../../test/memory-engine.ts";
import { AnswerReader, type Reader } from "../answer/answer-reader.ts";
import { ChannelReader } from "../answer/channel-reader.ts";
import { ChatAnswer } from "./chat-answer.ts";
import type { ChatPlan } from "./chat-plan.ts";

const { vocabulary } = new MemoryEngine(1);

/** How many tokens are told of with each piece of content, when each text is one token. */
function told(reader: Reader, texts: readonly string[]) {
  const requests = [{ logprobs: 0 }] as unknown as ChatPlan["requests"];
  const answer = new ChatAnswer(0, { requests, reader: () => reader, shortIds: false, thinks: true }, vocabulary);
  const seen = [{ token: 1, observation: { logprob: 0, top: [] } }];
  return [...texts.flatMap((text) => answer.text(text, { tokens: 1, seen })), ...answer.end()].flatMap((part) =>
    part.kind === "content" ? [[part.text, part.logprobs?.length]] : [],
  );
}

describe("the probabilities of an answer", () => {
  const reasoning = { open: "<think>", close: "</think>" };

  it("leave out what only parts thoughts from the answer", () => {
    const reader = new AnswerReader({ reasoning, opened: true, tools: null });
    expect(told(reader, ["hm", "</think>", "\n\n", "Hello", " you"])).toEqual([
      ["Hello", 1],
      [" you", 1],
    ]);
  });

  it("leave out empty thoughts", () => {
    const reader = new AnswerReader({ reasoning, opened: false, tools: null });
    expect(told(reader, ["<think>", "\n", "</think>", "\n", "Hello"])).toEqual([["Hello", 1]]);
  });

  it("keep what only looked like thoughts for a while", () => {
    const reader = new AnswerReader({ reasoning, opened: false, tools: null });
    expect(told(reader, ["<", "b", ">"])).toEqual([
      ["<b", 2],
      [">", 1],
    ]);
  });

  it("leave out the headers of messages", () => {
    const texts = ["<|channel|>", "analysis", "<|message|>", "hm", "<|end|>", "<|start|>", "assistant", "<|channel|>"];
    expect(told(new ChannelReader(), [...texts, "final", "<|message|>", "Hello"])).toEqual([["Hello", 1]]);
  });
});
