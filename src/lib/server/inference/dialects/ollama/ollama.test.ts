import {
  ollamaChatRequestSchema,
  parseInput,
  type ChatChunk,
  type HiveModel,
  type WorkerTelemetry,
} from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { chatShape, createTelling } from "./answer.ts";
import { runningOf, tagsOf } from "./models.ts";
import { chatOf } from "./request.ts";

const request = (fields: object) => parseInput(ollamaChatRequestSchema, { model: "bee:latest", ...fields });
const head = {
  id: "chatcmpl-7",
  object: "chat.completion.chunk" as const,
  created: 1,
  model: "bee",
  system_fingerprint: "f",
};
const timings = {
  cache_n: 2,
  prompt_n: 3,
  prompt_ms: 1.5,
  prompt_per_second: 1,
  predicted_n: 4,
  predicted_ms: 2,
  predicted_per_second: 1,
};
type Choice = ChatChunk["choices"][number];
const chunk = (delta: Choice["delta"], finish: Choice["finish_reason"] = null): ChatChunk => ({
  ...head,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  ...(finish === null ? {} : { timings }),
});
const linesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it("options, format and tool results become a chat's; calls without ids get some", () => {
  const chat = chatOf(
    request({
      options: { num_predict: -1, temperature: 0, top_k: 5, stop: "END" },
      format: { type: "object" },
      think: false,
      messages: [
        { role: "user", content: "Weather?" },
        { role: "assistant", tool_calls: [{ function: { name: "weather", arguments: { city: "Bern" } } }] },
        { role: "tool", tool_name: "weather", content: "rain" },
      ],
    }),
  );
  expect(chat).toMatchObject({
    temperature: 0,
    top_k: 5,
    stop: "END",
    chat_template_kwargs: { enable_thinking: false },
    response_format: { type: "json_schema", json_schema: { schema: { type: "object" } } },
  });
  expect(chat.max_tokens).toBeUndefined();
  expect(chat.messages.slice(1)).toEqual([
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "call_0", type: "function", function: { name: "weather", arguments: '{"city":"Bern"}' } }],
    },
    { role: "tool", content: "rain", tool_call_id: "call_0" },
  ]);
});

it.each([
  [{ options: { num_gpu: 3 } }, "options.num_gpu"],
  [{ messages: [{ role: "user", content: "x", images: ["aGk="] }] }, "messages[0].images"],
  [{ options: { mirostat: 2 } }, "options.mirostat"],
])("what would have to be ignored is refused by name: %j", (fields, param) => {
  expect(() => request(fields)).toThrow(expect.objectContaining({ code: "invalid_request", param }));
});

describe("a stream", () => {
  it("gives a line for each piece, calls whole, and counts at the end", () => {
    const stream = createTelling({ model: "bee:latest", startedAt: performance.now(), shape: chatShape }).stream();
    const lines = linesOf(
      stream.chunk(chunk({ role: "assistant", content: "" })) +
        stream.chunk(chunk({ reasoning_content: "hm" })) +
        stream.chunk(chunk({ content: "Hi" })) +
        stream.chunk(
          chunk({ tool_calls: [{ index: 0, id: "c", type: "function", function: { name: "f", arguments: '{"a"' } }] }),
        ) +
        stream.chunk(chunk({ tool_calls: [{ index: 0, function: { arguments: ":1}" } }] })) +
        stream.chunk(chunk({}, "tool_calls")) +
        stream.end(),
    );
    expect(lines.map(({ message, done }) => [message, done])).toEqual([
      [{ role: "assistant", content: "", thinking: "hm" }, false],
      [{ role: "assistant", content: "Hi" }, false],
      [
        { role: "assistant", content: "", tool_calls: [{ function: { index: 0, name: "f", arguments: { a: 1 } } }] },
        false,
      ],
      [{ role: "assistant", content: "" }, true],
    ]);
    expect(lines.at(-1)).toMatchObject({
      model: "bee:latest",
      done_reason: "stop",
      prompt_eval_count: 5,
      prompt_eval_duration: 1_500_000,
      eval_count: 4,
      eval_duration: 2_000_000,
    });
  });

  it("a failure is one line with the error", () => {
    const stream = createTelling({ model: "bee", startedAt: 0, shape: chatShape }).stream();
    expect(linesOf(stream.error({ message: "gone", type: "x", param: null, code: "worker_crashed" }))).toEqual([
      { error: "gone" },
    ]);
  });
});

describe("the models", () => {
  const model = {
    id: "bee",
    size_bytes: 9,
    architecture: "llama",
    parameters: 7_600_000_000,
    quantization: "Q4_K_M",
    context_length: 4096,
    files: [{ name: "bee.gguf", size_bytes: 9, sha256: "ab" }],
  } as HiveModel;
  const worker = (fields: Partial<WorkerTelemetry>) =>
    ({
      model: "bee",
      state: "ready",
      stops_in_s: 60,
      vram_mb: null,
      context_length: 1024,
      ...fields,
    }) as WorkerTelemetry;

  it("have a tag, and say what is known", () => {
    expect(tagsOf([model]).models[0]).toMatchObject({
      name: "bee:latest",
      digest: "ab",
      modified_at: null,
      details: { family: "llama", parameter_size: "7.6B", quantization_level: "Q4_K_M" },
    });
  });

  it("a loaded one is there once, until its last worker stops", () => {
    const running = runningOf([model], [worker({}), worker({ stops_in_s: 90 }), worker({ state: "loading" })], 0);
    expect(running.models).toMatchObject([
      // What a slot holds, not what the model was trained for.
      { name: "bee:latest", expires_at: "1970-01-01T00:01:30.000Z", context_length: 1024 },
    ]);
    expect(runningOf([model], [worker({ stops_in_s: null })], 0).models[0]?.expires_at).toBeNull();
    expect(runningOf([model], [worker({ state: "draining" })], 0).models).toEqual([]);
  });
});
