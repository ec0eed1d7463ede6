import { RbeeError, streamErrorEvent } from "@rbee/contract";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Ask } from "../asks.ts";
import { createMeter } from "../metering.ts";
import type { Upstream, UpstreamReader } from "../upstream.ts";
import {
  foreignAsk,
  foreignRefusal,
  foreignStream,
  foreignUnstreamed,
  foreignWhole,
  type ForeignServer,
} from "./index.ts";

const ollama: ForeignServer = { engine: "external", kind: "ollama", name: "Ollama on attic", model: "org/wasp" };
const vllm: ForeignServer = { ...ollama, kind: "vllm", name: "vLLM on attic" };
const llama: ForeignServer = {
  engine: "llama-server",
  kind: "llama-server",
  name: "llama-server on attic",
  model: "wasp",
};

const ask = (body: object = {}, path = "/v1/chat/completions"): Ask => ({
  ...{ path, model: "wasp", cost: 1, metered: true },
  stream: (body as { stream?: boolean }).stream === true,
  body: { model: "wasp", ...body },
});
const messages = [{ role: "user", content: "hi" }];

describe("a request to a server that is not ours", () => {
  it("names the model as the server does, and leaves out nulls, what has no effect, and samplers that are as usual", () => {
    const { body } = foreignAsk(
      ask({
        ...{ messages, stream: true, temperature: null, store: false, metadata: { a: "b" }, user: "u" },
        ...{ max_completion_tokens: 9, top_k: 40, min_p: 0, repeat_penalty: 1.1, n: 1 },
        ...{ logprobs: false, tools: [{ type: "function" }], tool_choice: "none" },
      }),
      ollama,
    );
    expect(body).toEqual({
      ...{ model: "org/wasp", messages, stream: true, user: "u", max_tokens: 9 },
      stream_options: { include_usage: true },
    });
    const sampled = foreignAsk(ask({ messages, top_k: 4, min_p: 0.1, repeat_penalty: 1.1 }), vllm).body;
    expect(sampled).toEqual({ model: "org/wasp", messages, top_k: 4, min_p: 0.1, repetition_penalty: 1.1 });
  });

  it("has OpenAI's own length for completions, and none where the client wants none", () => {
    const path = "/v1/completions";
    expect(foreignAsk(ask({ prompt: "a" }, path), ollama).body).toMatchObject({ max_tokens: 16 });
    expect(foreignAsk(ask({ prompt: "a", max_tokens: null }, path), ollama).body).not.toHaveProperty("max_tokens");
  });

  it.each<[string, ForeignServer, Ask]>([
    ["grammar", ollama, ask({ messages, grammar: "root" })],
    ["grammar", vllm, ask({ messages, grammar: "root" })],
    ["n", ollama, ask({ messages, n: 2 })],
    ["top_k", ollama, ask({ messages, top_k: 4 })],
    ["min_p", { ...ollama, kind: "openai-compatible" }, ask({ messages, min_p: 0.1 })],
    ["repeat_penalty", { ...ollama, kind: "openai-compatible" }, ask({ messages, repeat_penalty: 1.1 })],
    ["tool_choice", ollama, ask({ messages, tool_choice: "required" })],
    ["tool_choice", ollama, ask({ messages, tool_choice: { type: "function", function: { name: "f" } } })],
    ["logprobs", ollama, ask({ messages, logprobs: true })],
    ["suffix", llama, ask({ prompt: "a", suffix: "b" }, "/v1/completions")],
    ["model", ollama, ask({ content: "a" }, "/v1/tokenize")],
  ])("is refused by name for what would silently be missing: %s", (param, server, asked) => {
    expect(() => foreignAsk(asked, server)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        param,
        message: expect.stringContaining(server.name) as string,
      }),
    );
  });

  it("to llama-server keeps what llama.cpp knows", () => {
    const { body } = foreignAsk(ask({ messages, grammar: "root", min_p: 0.1, n: 2 }), llama);
    expect(body).toEqual({ model: "wasp", messages, grammar: "root", min_p: 0.1, n: 2 });
    expect(foreignAsk(ask({ content: "a" }, "/v1/tokenize"), llama).body).toEqual({ model: "wasp", content: "a" });
  });
});

describe("a refusal of a server that is not ours", () => {
  it.each<[number, string, string, string]>([
    [400, '{"error":{"message":"bad temperature","param":"temperature"}}', "invalid_request", "bad temperature"],
    [422, '{"detail":[{"msg":"field required"}]}', "invalid_request", "field required"],
    [
      400,
      '{"error":{"code":400,"type":"exceed_context_size_error","message":"too long"}}',
      "context_length_exceeded",
      "too long",
    ],
    [401, '{"error":"no"}', "forbidden", "no"],
    [404, '{"error":{"message":"model \\"x\\" not found"}}', "model_not_found", "not found"],
    [404, "404 page not found", "invalid_request", "no such function"],
    [413, "", "payload_too_large", "413"],
    [429, "{}", "worker_busy", "takes no more requests"],
    [503, '{"error":{"message":"Loading model"}}', "model_loading", "Loading model"],
    [503, "", "worker_busy", "503"],
    [502, "<html><title>Bad gateway</title>", "worker_crashed", "failed (502)."],
    [302, "", "worker_crashed", "does not follow"],
  ])("%i %s is our %s", (status, text, code, words) => {
    const error = foreignRefusal({ status, text, retryAfter: undefined }, ollama);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
  });

  it("keeps its words short and clean, and believes no endless Retry-After", () => {
    const text = JSON.stringify({ error: { message: `a\u0000b\n${"x".repeat(10_000)}` } });
    const error = foreignRefusal({ status: 429, text, retryAfter: "99999999" }, ollama);
    expect(error.message.length).toBeLessThan(650);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.retryAfterS).toBe(600);
  });
});

describe("a whole answer of a server that is not ours", () => {
  it("becomes one of ours, whatever it left out or calls otherwise", () => {
    const { text, counts } = foreignWhole(
      JSON.stringify({
        choices: [
          {
            message: { content: null, reasoning: "hm", tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }] },
            finish_reason: "function_call",
            stop_reason: 7,
          },
        ],
        usage: { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } },
      }),
      ask(),
      ollama,
    );
    expect(JSON.parse(text)).toMatchObject({
      ...{ object: "chat.completion", model: "wasp", system_fingerprint: "" },
      choices: [
        {
          index: 0,
          message: {
            ...{ role: "assistant", content: null, reasoning_content: "hm", refusal: null },
            tool_calls: [{ type: "function", function: { name: "f", arguments: '{"a":1}' } }],
          },
          ...{ logprobs: null, finish_reason: "tool_calls" },
        },
      ],
      usage: { total_tokens: 12, prompt_tokens_details: { cached_tokens: 4 } },
    });
    expect(text).not.toContain("stop_reason");
    expect(counts).toEqual({ cache_n: 4, prompt_n: 6, predicted_n: 2 });
  });

  it("that is none is the server's fault, not the hive's", () => {
    for (const text of ["<h1>", "{}", '{"choices":[]}', '{"choices":[{"message":7}]}', "null"])
      expect(() => foreignWhole(text, ask(), ollama)).toThrow(expect.objectContaining({ code: "worker_crashed" }));
    expect(() => foreignWhole('{"error":"out of memory"}', ask(), ollama)).toThrow(/out of memory/u);
    expect(foreignUnstreamed('{"error":"out of memory"}', ollama).message).toContain("out of memory");
    expect(foreignUnstreamed('{"choices":[]}', ollama).message).toContain("no answer of a model");
  });
});

/** Sends pieces through a foreign stream and gives what comes out. */
function streamed(pieces: readonly string[], asked = ask({ stream: true }), closes = true) {
  let reader: UpstreamReader | null = null;
  const state = { aborted: false, ended: false };
  const upstream: Upstream = {
    ...{ contentType: "text/event-stream", paused: false, pause: () => undefined, resume: () => undefined },
    read: (next) => (reader = next),
    abort: () => (state.aborted = true),
  };
  const stream = foreignStream(upstream, asked, ollama);
  let text = "";
  const meter = createMeter();
  stream.read({
    data(chunk) {
      text += chunk.toString("utf8");
      meter.take(chunk);
    },
    end: () => (state.ended = true),
    error: () => undefined,
  });
  const current = () => reader;
  for (const piece of pieces) current()?.data(Buffer.from(piece));
  if (closes) current()?.end();
  const events = text.split("\n\n").flatMap((event) => (event === "" ? [] : [event.replace(/^data: /u, "")]));
  return { events, meter, counts: stream.counts(), ...state, isAborted: () => state.aborted };
}

const chunk = (fields: object, rest: object = {}) =>
  `data: ${JSON.stringify({ id: "c", model: "org/wasp", choices: [{ index: 0, finish_reason: null, ...fields }], ...rest })}\n\n`;
const counted = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n';

describe("a stream of a server that is not ours", () => {
  it("has our model's name, is cut anywhere, and keeps what was counted for itself unless the client asked", () => {
    const whole = [
      chunk({ delta: { content: "é" } }),
      chunk({ delta: {}, finish_reason: "eos" }),
      counted,
      "data: [DONE]\n\n",
    ].join("");
    const { events, meter, counts } = streamed([whole.slice(0, 31), whole.slice(31, 200), whole.slice(200)]);
    expect(events.slice(0, -1).map((event) => JSON.parse(event) as object)).toMatchObject([
      { model: "wasp", object: "chat.completion.chunk", choices: [{ delta: { role: "assistant", content: "é" } }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
    ]);
    expect(events.at(-1)).toBe("[DONE]");
    expect(events.join("")).not.toContain("usage");
    expect([meter.done, counts]).toEqual([true, { cache_n: 0, prompt_n: 3, predicted_n: 2 }]);
    const wished = streamed([whole], ask({ stream: true, stream_options: { include_usage: true } }));
    expect(JSON.parse(wished.events.at(-2) ?? "")).toMatchObject({
      model: "wasp",
      choices: [],
      usage: { total_tokens: 5 },
    });
  });

  it("counts nothing where the server did not", () => {
    expect(streamed([chunk({ delta: { content: "a" } }), "data: [DONE]\n\n"]).counts).toBeNull();
  });

  it.each<[string, string]>([
    ["an error object", 'data: {"error":{"message":"out of memory"}}\n\n'],
    ["an error as text", 'data: {"error":"out of memory"}\n\n'],
    ["vLLM's error", 'data: {"object":"error","message":"out of memory","code":500}\n\n'],
  ])("ends with an error event at %s, and nothing comes after", (_, fault) => {
    const { events, meter, aborted, ended } = streamed([chunk({ delta: { content: "a" } }), fault, "data: [DONE]\n\n"]);
    expect(events).toHaveLength(2);
    expect(JSON.parse(events[1] ?? "")).toMatchObject({
      error: { code: "worker_crashed", message: "Ollama on attic broke off its answer: out of memory" },
    });
    expect([meter.done, meter.errorCode, aborted, ended]).toEqual([false, "worker_crashed", true, true]);
  });

  it("lets the hive in front of the server say itself why a stream was cut off", () => {
    const told = new RbeeError("worker_crashed", "cellar, which computes half of it, is gone.", {
      suggestion: "Look at cellar.",
    });
    const { events } = streamed([chunk({ delta: { content: "a" } }), streamErrorEvent(told)]);
    expect(JSON.parse(events[1] ?? "")).toEqual(told.toBody());
  });

  it.each(["data: <html>\n\n", "data: 7\n\n", 'data: {"choices":7}\n\n', `data: ${"x".repeat(9 * 1024 * 1024)}`])(
    "that is none is an error event",
    (nonsense) => {
      const { events, aborted } = streamed([nonsense]);
      expect([events.length, aborted]).toEqual([1, true]);
      expect(events[0]).toContain("no answer of a model");
    },
  );

  it("tells calls of tools as OpenAI does", () => {
    const call = { id: "call_1", function: { name: "f", arguments: '{"a":1}' } };
    const { events } = streamed([chunk({ delta: { tool_calls: [call] } }), "data: [DONE]\n\n"]);
    expect(JSON.parse(events[0] ?? "")).toMatchObject({
      choices: [{ delta: { tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "f" } }] } }],
    });
  });

  it("passes signs of life on while a prompt is read, and never a stranger's words in them", () => {
    const { events, meter } = streamed([
      ": prompt 1+2\n\n",
      ":\n\n",
      chunk({ delta: { content: "a" } }),
      "data: [DONE]\n\n",
    ]);
    expect([events.slice(0, 2), events.length]).toEqual([[":", ":"], 4]);
    expect(meter.counted).toMatchObject({ cache_n: 0, prompt_n: 0, predicted_n: 1 });
    const padded = streamed([
      `:${"x".repeat(9 * 1024 * 1024)}\n\n`,
      chunk({ delta: { content: "a" } }),
      "data: [DONE]\n\n",
    ]);
    expect(padded.meter.done).toBe(true);
  });

  it("is over at its [DONE], though the connection stays open, and is dropped a moment later", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { ended, aborted, isAborted } = streamed(
      [chunk({ delta: { content: "a" } }), "data: [DONE]\n\n"],
      ask({ stream: true }),
      false,
    );
    expect([ended, aborted]).toEqual([true, false]);
    vi.advanceTimersByTime(1_000);
    expect(isAborted()).toBe(true);
  });

  it("may end without a last blank line, but not in the middle of an event", () => {
    expect(streamed([chunk({ delta: { content: "a" } }), "data: [DONE]"]).events.at(-1)).toBe("[DONE]");
    const { events } = streamed([chunk({ delta: { content: "a" } }), 'data: {"choices":[{"del']);
    expect(events.at(-1)).toContain("ended its answer before it was complete");
  });

  it("may say in every piece that there is no error", () => {
    const { events, meter } = streamed([chunk({ delta: { content: "a" } }, { error: null }), "data: [DONE]\n\n"]);
    expect([events.length, meter.done]).toEqual([2, true]);
  });

  it("keeps calls of tools apart that come one by one without numbers, and ends for them", () => {
    const call = (id: string | undefined, name: string | undefined, args: string) =>
      chunk({ delta: { tool_calls: [{ ...(id === undefined ? {} : { id }), function: { name, arguments: args } }] } });
    const { events } = streamed([
      ...[call("a", "f", "{}"), call("b", "g", '{"x"'), call("b", undefined, ":1"), call(undefined, undefined, "}")],
      ...[chunk({ delta: {}, finish_reason: "stop" }), "data: [DONE]\n\n"],
    ]);
    const choices = events.slice(0, -1).map(
      (event) =>
        (
          JSON.parse(event) as {
            choices: [{ delta: { tool_calls?: { index: number }[] }; finish_reason: string | null }];
          }
        ).choices[0],
    );
    expect(choices.map(({ delta }) => delta.tool_calls?.[0]?.index)).toEqual([0, 1, 1, 1, undefined]);
    expect(choices.at(-1)?.finish_reason).toBe("tool_calls");
  });
});
