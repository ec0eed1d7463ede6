import { parseInput, messagesRequestSchema, type ChatChunk } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { chatOf, messageTelling } from "./index.ts";

const request = (fields: object) =>
  parseInput(messagesRequestSchema, {
    model: "m",
    max_tokens: 9,
    messages: [{ role: "user", content: "Hi" }],
    ...fields,
  });

const head = {
  id: "chatcmpl-7",
  object: "chat.completion.chunk" as const,
  created: 1,
  model: "m",
  system_fingerprint: "f",
};
type Delta = ChatChunk["choices"][number]["delta"];
const chunk = (delta: Delta, finish: "stop" | "length" | "tool_calls" | null = null): ChatChunk => ({
  ...head,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
});
const usage = {
  prompt_tokens: 12,
  completion_tokens: 5,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 4 },
};

interface Told {
  type: string;
  [field: string]: unknown;
}
const eventsOf = (text: string): Told[] =>
  text
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/u.exec(block) ?? [];
      const event = JSON.parse(data ?? "") as Told;
      expect(event.type).toBe(name);
      return event;
    });

describe("a request", () => {
  it("tools, their calls and their results become a chat's", () => {
    const chat = chatOf(
      request({
        system: [{ type: "text", text: "Be brief." }],
        stop_sequences: ["END"],
        tools: [{ name: "weather", description: "d", input_schema: { type: "object" } }],
        tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: true },
        messages: [
          { role: "user", content: "Weather?" },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "" },
              { type: "text", text: "I look." },
              { type: "tool_use", id: "t1", name: "weather", input: { city: "Bern" } },
            ],
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "no" }], is_error: true },
              { type: "text", text: "So?" },
            ],
          },
        ],
      }),
    );
    expect(chat).toMatchObject({
      stop: ["END"],
      tool_choice: { type: "function", function: { name: "weather" } },
      parallel_tool_calls: false,
      tools: [{ type: "function", function: { name: "weather", description: "d", parameters: { type: "object" } } }],
    });
    expect(chat.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Weather?" },
      {
        role: "assistant",
        content: "I look.",
        reasoning_content: "hm",
        tool_calls: [{ id: "t1", type: "function", function: { name: "weather", arguments: '{"city":"Bern"}' } }],
      },
      { role: "tool", tool_call_id: "t1", content: "Error: no" },
      { role: "user", content: [{ type: "text", text: "So?" }] },
    ]);
  });

  it("the result of a tool that was not called is refused where it stands", () => {
    const content = [{ type: "tool_result", tool_use_id: "t9", content: "x" }];
    expect(() => chatOf(request({ messages: [{ role: "user", content }] }))).toThrow(
      expect.objectContaining({ code: "invalid_request", param: "messages[0].content[0].tool_use_id" }),
    );
  });

  it.each([
    [{ messages: [{ role: "user", content: [{ type: "image", source: {} }] }] }, "messages[0].content"],
    [{ mcp_servers: [] }, "mcp_servers"],
    [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "tools[0].type"],
  ])("what is not supported is refused by name: %j", (fields, param) => {
    expect(() => request(fields)).toThrow(
      expect.objectContaining({ code: "invalid_request", param: expect.stringContaining(param) as string }),
    );
  });
});

describe("a stream", () => {
  it("opens, fills and closes one block after another, and counts", () => {
    const stream = messageTelling.stream();
    stream.prompt?.({ cached: 4, computed: 8 });
    const calls = [
      [{ index: 0, id: "c1", type: "function" as const, function: { name: "weather", arguments: "" } }],
      [{ index: 0, function: { arguments: '{"a":' } }],
      [{ index: 0, function: { arguments: "1}" } }],
      [{ index: 1, id: "c2", type: "function" as const, function: { name: "clock", arguments: "{}" } }],
    ];
    const text =
      stream.chunk(chunk({ role: "assistant", content: "" })) +
      stream.chunk(chunk({ reasoning_content: "hm" })) +
      stream.chunk(chunk({ content: "Hel" })) +
      stream.chunk(chunk({ content: "lo" })) +
      calls.map((tool_calls) => stream.chunk(chunk({ tool_calls }))).join("") +
      stream.chunk(chunk({}, "tool_calls")) +
      stream.chunk({ ...head, choices: [], usage }) +
      stream.end();
    const events = eventsOf(text);
    expect(events.map(({ type }) => type)).toEqual([
      "message_start",
      "ping",
      ...["content_block_start", "content_block_delta", "content_block_stop"],
      ...["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"],
      ...["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"],
      ...["content_block_start", "content_block_delta", "content_block_stop"],
      "message_delta",
      "message_stop",
    ]);
    expect(events[0]).toMatchObject({
      message: { id: "msg_7", content: [], usage: { input_tokens: 8, cache_read_input_tokens: 4, output_tokens: 0 } },
    });
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: "tool_use", stop_sequence: null },
      usage: { input_tokens: 8, cache_read_input_tokens: 4, output_tokens: 5 },
    });
    expect(events.filter(({ type }) => type === "content_block_start").map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  });

  it("a failure is one error event and no end", () => {
    const stream = messageTelling.stream();
    stream.chunk(chunk({ content: "a" }));
    const told = stream.error({ message: "gone", type: "x", param: null, code: "worker_crashed" });
    expect(eventsOf(told)).toEqual([
      { type: "error", error: { type: "api_error", message: "gone", code: "worker_crashed" } },
    ]);
  });

  it("a stop string that was met is named", () => {
    const stream = messageTelling.stream();
    stream.chunk({
      ...head,
      choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop", stop_reason: "END" }],
    });
    expect(eventsOf(stream.end()).at(-2)).toMatchObject({
      delta: { stop_reason: "stop_sequence", stop_sequence: "END" },
    });
  });
});
