import {
  parseInput,
  responsesRequestSchema,
  type ChatChunk,
  type ChatMessage,
  type ModelResponse,
} from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { chatOf, conversationOf, ResponseMemory, responseTelling } from "./index.ts";
import { rememberedMs } from "./memory.ts";

const request = (fields: object) => parseInput(responsesRequestSchema, { model: "m", input: "Hi", ...fields });
const head = {
  id: "chatcmpl-7",
  object: "chat.completion.chunk" as const,
  created: 1,
  model: "m",
  system_fingerprint: "f",
};
type Choice = ChatChunk["choices"][number];
const chunk = (delta: Choice["delta"], finish: Choice["finish_reason"] = null): ChatChunk => ({
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
  sequence_number: number;
  [field: string]: unknown;
}
const eventsOf = (text: string): Told[] =>
  text
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => JSON.parse(/^data: (.*)$/mu.exec(block)?.[1] ?? "") as Told);

const telling = (fields: object = {}) => {
  const ended: { response: ModelResponse; conversation: readonly ChatMessage[] }[] = [];
  const asked = request(fields);
  const conversation = conversationOf(asked.input, []);
  return {
    ended,
    telling: responseTelling(asked, {
      id: "resp_1",
      nowMs: 5_000,
      conversation,
      onEnd: (response, whole) => void ended.push({ response, conversation: whole }),
    }),
  };
};

it("what a model thought, said and called in one turn is one message", () => {
  const items = [
    { role: "user", content: [{ type: "input_text", text: "Weather?" }] },
    { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "hm" }] },
    { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look.", annotations: [] }] },
    { type: "function_call", call_id: "c1", name: "weather", arguments: "{}" },
    { type: "function_call_output", call_id: "c1", output: "rain" },
  ];
  expect(conversationOf(request({ input: items }).input, [])).toEqual([
    { role: "user", content: "Weather?" },
    {
      role: "assistant",
      content: "I look.",
      reasoning_content: "hm",
      tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: "{}" } }],
    },
    { role: "tool", tool_call_id: "c1", content: "rain" },
  ]);
});

it("the output of a function that nobody called is refused where it stands", () => {
  const input = [{ type: "function_call_output", call_id: "c9", output: "x" }];
  expect(() => conversationOf(request({ input }).input, [])).toThrow(
    expect.objectContaining({ param: "input[0].call_id" }),
  );
});

it("instructions come first and are not part of the conversation", () => {
  const asked = request({ instructions: "Be brief.", text: { format: { type: "json_object" } }, max_output_tokens: 7 });
  const chat = chatOf(asked, [{ role: "user", content: "Hi" }]);
  expect(chat.messages[0]).toEqual({ role: "system", content: "Be brief." });
  expect(chat).toMatchObject({ max_tokens: 7, response_format: { type: "json_object" } });
});

describe("a stream", () => {
  it("numbers its events, and every item is added, filled and done in order", () => {
    const { telling: told, ended } = telling();
    const stream = told.stream();
    const text =
      stream.chunk(chunk({ role: "assistant", content: "" })) +
      stream.chunk(chunk({ reasoning_content: "hm" })) +
      stream.chunk(chunk({ content: "Hel" })) +
      stream.chunk(chunk({ content: "lo" })) +
      stream.chunk(chunk({ tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "f" } }] })) +
      stream.chunk(chunk({ tool_calls: [{ index: 0, function: { arguments: "{}" } }] })) +
      stream.chunk(chunk({}, "tool_calls")) +
      stream.chunk({ ...head, choices: [], usage }) +
      stream.end();
    const events = eventsOf(text);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    expect(events.map(({ type }) => type.replace("response.", ""))).toEqual([
      "created",
      "in_progress",
      ...["output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"],
      ...["content_part.done", "output_item.done"],
      ...["output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done"],
      ...["content_part.done", "output_item.done"],
      ...["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"],
      "completed",
    ]);
    const { response, conversation } = ended[0] ?? { response: undefined, conversation: [] };
    expect(response).toMatchObject({
      status: "completed",
      usage: { input_tokens: 12, output_tokens: 5, input_tokens_details: { cached_tokens: 4 } },
      output: [
        { type: "reasoning", content: [{ text: "hm" }] },
        { type: "message", content: [{ text: "Hello" }], status: "completed" },
        { type: "function_call", call_id: "c1", arguments: "{}" },
      ],
    });
    expect(conversation.at(-1)).toMatchObject({ role: "assistant", content: "Hello", reasoning_content: "hm" });
  });

  it("cut at its limit it is incomplete", () => {
    const { telling: told } = telling();
    const stream = told.stream();
    const events = eventsOf(stream.chunk(chunk({ content: "Hel" }, "length")) + stream.end());
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    });
  });

  it("a failure is told as failed and is not remembered", () => {
    const { telling: told, ended } = telling();
    const stream = told.stream();
    stream.chunk(chunk({ content: "Hel" }));
    const events = eventsOf(stream.error({ message: "gone", type: "x", param: null, code: "worker_crashed" }));
    expect(events.at(-1)).toMatchObject({ type: "response.failed", response: { error: { code: "worker_crashed" } } });
    expect(ended).toEqual([]);
  });
});

describe("the memory", () => {
  const response = { id: "resp_1" } as ModelResponse;
  const said: ChatMessage[] = [{ role: "user", content: "Hi" }];

  it("is one person's, and an hour long", () => {
    let now = 0;
    const memory = new ResponseMemory(() => now);
    memory.keep("ada", response, said);
    expect(memory.conversation("ada", "resp_1")).toEqual(said);
    expect(() => memory.conversation("bob", "resp_1")).toThrow(
      expect.objectContaining({ param: "previous_response_id" }),
    );
    memory.forget("bob", "resp_1");
    now = rememberedMs - 1;
    expect(memory.response("ada", "resp_1")).toBe(response);
    now = rememberedMs;
    expect(() => memory.response("ada", "resp_1")).toThrow(expect.objectContaining({ code: "not_found" }));
  });

  it("counts what the response itself holds, too", () => {
    const memory = new ResponseMemory(() => 0);
    const long = { ...response, instructions: "x".repeat(17 * 1024 * 1024) };
    memory.keep("ada", long, said);
    expect(() => memory.conversation("ada", "resp_1")).toThrow();
  });

  it("forgets the oldest when there is too much", () => {
    const memory = new ResponseMemory(() => 0);
    const long: ChatMessage[] = [{ role: "user", content: "x".repeat(5 * 1024 * 1024) }];
    for (const id of ["a", "b", "c", "d"]) memory.keep("ada", { ...response, id }, long);
    expect(() => memory.conversation("ada", "a")).toThrow();
    expect(memory.conversation("ada", "d")).toBe(long);
  });
});
