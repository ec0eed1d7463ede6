import { chatCompletionSchema, errorBodySchema, type ChatChunk } from "@rbee/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { user } from "../test/asking.ts";
import { all, readyWorker, type ChatBody, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker();
}, 30_000);
afterAll(() => worker.stop());

const weather = {
  type: "object",
  properties: {
    city: { type: "string", maxLength: 8 },
    days: { type: "integer", minimum: 1, maximum: 7 },
    unit: { enum: ["°C", "°F"] },
  },
  required: ["city", "unit"],
  additionalProperties: false,
};
const tools = [
  { type: "function", function: { name: "get_weather", description: "Weather", parameters: weather } },
  { type: "function", function: { name: "now", parameters: null } },
];
const matches = new Ajv2020({ strict: false }).compile(weather);
const chosen = (name: string) => ({ type: "function", function: { name } });

const ask = async (body: ChatBody) => {
  const reply = await worker.chat({ messages: user("Weather?"), max_tokens: 400, tools, ...body } as ChatBody);
  expect(reply.status, reply.body).toBe(200);
  const answer = chatCompletionSchema.parse(JSON.parse(reply.body));
  return { ...answer, choice: answer.choices[0], calls: answer.choices[0]?.message.tool_calls ?? [] };
};

describe("tools", () => {
  it("a named tool is called once, with arguments that match its schema", async () => {
    for (const seed of [1, 2, 3]) {
      const { choice, calls } = await ask({ tool_choice: chosen("get_weather") as never, seed, temperature: 1.2 });
      expect(choice?.finish_reason).toBe("tool_calls");
      expect(choice?.message.content).toBeNull();
      expect(calls).toHaveLength(1);
      expect(calls[0]?.function.name).toBe("get_weather");
      expect(matches(JSON.parse(calls[0]?.function.arguments ?? "")), calls[0]?.function.arguments).toBe(true);
    }
  });

  it("required calls one of them, or several where that is allowed", async () => {
    const once = await ask({ tool_choice: "required", parallel_tool_calls: false, temperature: 0 });
    expect(once.calls).toHaveLength(1);
    // It may not end its answer, so it goes on with calls.
    const many = await ask({
      tool_choice: "required",
      temperature: 0,
      logit_bias: { "2": -100, "0": -100 },
      max_tokens: 200,
    });
    expect(many.calls.length).toBeGreaterThan(1);
    expect(new Set(many.calls.map(({ id }) => id)).size).toBe(many.calls.length);
    for (const { function: call } of many.choice?.finish_reason === "length" ? many.calls.slice(0, -1) : many.calls) {
      if (call.name === "now") expect(call.arguments).toBe("{}");
      else expect(matches(JSON.parse(call.arguments)), call.arguments).toBe(true);
    }
  });

  it("streams name first, then pieces of the arguments that make the same call", async () => {
    const body = { tool_choice: chosen("get_weather"), temperature: 0 } as ChatBody;
    const whole = await ask(body);
    const stream = await worker.stream({ messages: user("Weather?"), max_tokens: 400, tools, ...body } as ChatBody);
    const deltas = (await all<ChatChunk>(stream.chunks())).flatMap(({ choices }) => choices);
    expect(deltas[0]?.delta).toEqual({ role: "assistant", content: null });
    const [first, ...pieces] = deltas.flatMap(({ delta }) => delta.tool_calls ?? []);
    expect(first).toMatchObject({ index: 0, type: "function", function: { name: "get_weather", arguments: "" } });
    expect(first?.id).toMatch(/^call_\w{20,}$/u);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.every((piece) => piece.index === 0 && piece.id === undefined)).toBe(true);
    expect(pieces.map((piece) => piece.function.arguments).join("")).toBe(whole.calls[0]?.function.arguments);
    expect(deltas.at(-1)?.finish_reason).toBe("tool_calls");
  });

  it("left to choose, the model answers with text, and none keeps the tools from it", async () => {
    const question = { messages: user("Who are you?"), temperature: 0, max_tokens: 100 };
    const auto = await ask(question);
    expect([auto.choice?.finish_reason, auto.calls]).toEqual(["stop", []]);
    expect(auto.choice?.message.content).toContain("bee-tiny");
    const [none, without] = [await ask({ ...question, tool_choice: "none" }), await ask({ ...question, tools: [] })];
    expect(none.usage.prompt_tokens).toBe(without.usage.prompt_tokens);
    expect(none.choice?.message.content).toBe(without.choice?.message.content);
  });

  it("with a response format, the answer is a call or matches it", async () => {
    const format = { type: "json_schema", json_schema: { name: "x", schema: { enum: ["done"] } } };
    const { choice } = await ask({ response_format: format, temperature: 0 } as ChatBody);
    expect(choice?.message.content === '"done"' || (choice?.message.tool_calls ?? []).length > 0).toBe(true);
  });

  it("takes its calls and their results back", async () => {
    const { calls } = await ask({ tool_choice: chosen("get_weather") as never, temperature: 0 });
    const [call] = calls;
    const after = await ask({
      messages: [
        ...user("Weather?"),
        { role: "assistant", content: null, refusal: null, tool_calls: calls },
        { role: "tool", tool_call_id: call?.id ?? "", content: "sunny, 20 °C" },
      ] as never,
      max_tokens: 30,
      temperature: 0,
    });
    expect(after.usage.prompt_tokens).toBeGreaterThan(200);
  });

  it("a call that is cut off says length", async () => {
    const { choice } = await ask({ tool_choice: chosen("get_weather") as never, max_tokens: 40 });
    expect(choice?.finish_reason).toBe("length");
  });

  it.each([
    [{ tools: [{ type: "function", function: { name: "a b" } }] }, "tools[0].function.name"],
    [{ tools: [tools[0], tools[0]] }, "tools[1].function.name"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ tool_choice: chosen("other") }, "tool_choice.function.name"],
    [{ tools: [], tool_choice: "required" }, "tool_choice"],
    [{ functions: [] }, "functions"],
    [
      {
        tools: [{ type: "function", function: { name: "f", parameters: { properties: { a: { not: {} } } } } }],
        tool_choice: "required",
      },
      "tools[0].function.parameters.properties.a.not",
    ],
    [{ reasoning_effort: "high" }, "reasoning_effort"],
    [{ chat_template_kwargs: { enable_thinking: true } }, "chat_template_kwargs.enable_thinking"],
    [{ chat_template_kwargs: { messages: [] } }, "chat_template_kwargs.messages"],
    [
      {
        messages: [
          ...user("x"),
          { role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{" } }] },
        ],
      },
      "messages[1].tool_calls[0].function.arguments",
    ],
  ])("refuses %j by its place", async (body, param) => {
    const reply = await worker.chat({ messages: user("Weather?"), tools, ...body } as unknown as ChatBody);
    expect({ status: reply.status, ...errorBodySchema.parse(JSON.parse(reply.body)).error }).toMatchObject({
      status: 400,
      code: "invalid_request",
      param,
    });
  });

  it("is lenient with schemas of tools that the model may choose, where strict is not set", async () => {
    const odd = { type: "function", function: { name: "odd", parameters: { properties: { a: { not: {} } } } } };
    await ask({ tools: [odd], messages: user("Who are you?"), max_tokens: 5 } as unknown as ChatBody);
  });
});
