import OpenAI, { APIError, APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { startHousehold, type Household } from "../support/household.ts";
import { neverEnding } from "../support/chat-stream.ts";
import { waitFor } from "../support/wait-for.ts";

/** OpenAI's own client, as it ships, against a running household: it must not notice the difference. */
let household: Household;
let openai: OpenAI;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  openai = new OpenAI({ baseURL: `${household.url}/v1`, apiKey: await household.key(), maxRetries: 0 });
});
afterAll(() => household.stop());

const ask = (content: string) => ({
  model: "bee-tiny",
  temperature: 0,
  messages: [{ role: "user" as const, content }],
});

describe("chat completions", () => {
  it("whole: content, finish reason and usage", async () => {
    const answer = await openai.chat.completions.create(ask("What is rbee?"));
    expect(answer.object).toBe("chat.completion");
    expect(answer.choices[0]?.message).toMatchObject({ role: "assistant", refusal: null });
    expect(answer.choices[0]?.message.content).toMatch(/\w+/u);
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
  });

  it("streamed: the same text, one finish reason, usage when asked for", async () => {
    const whole = await openai.chat.completions.create(ask("What is rbee?"));
    const stream = await openai.chat.completions.create({
      ...ask("What is rbee?"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    const finishReasons: string[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      const finished = chunk.choices[0]?.finish_reason;
      if (finished !== undefined && finished !== null) finishReasons.push(finished);
      if (chunk.usage) usage = chunk.usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(finishReasons).toEqual(["stop"]);
    expect(usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
  });

  it("the stream helper assembles the final message", async () => {
    const runner = openai.chat.completions.stream(ask("Who are you?"));
    const deltas: string[] = [];
    runner.on("content", (delta) => deltas.push(delta));
    const completion = await runner.finalChatCompletion();
    expect(deltas.join("")).toBe(completion.choices[0]?.message.content);
    expect(deltas.length).toBeGreaterThan(2);
  });

  it("max_tokens cuts with finish reason length", async () => {
    const answer = await openai.chat.completions.create({ ...ask("Tell me a story about a bee"), max_tokens: 5 });
    expect([answer.choices[0]?.finish_reason, answer.usage?.completion_tokens]).toEqual(["length", 5]);
    const newer = await openai.chat.completions.create({
      ...ask("Tell me a story about a bee"),
      max_completion_tokens: 5,
    });
    expect(newer.choices[0]?.message.content).toBe(answer.choices[0]?.message.content);
  });

  it("stop cuts before the stop string", async () => {
    const full = (await openai.chat.completions.create(ask("What is rbee?"))).choices[0]?.message.content ?? "";
    const stop = full.slice(7, 12);
    const answer = await openai.chat.completions.create({ ...ask("What is rbee?"), stop });
    expect(answer.choices[0]?.message.content).toBe(full.slice(0, full.indexOf(stop)));
    expect(answer.choices[0]?.finish_reason).toBe("stop");
  });

  it("the same seed gives the same answer", async () => {
    const warm = { ...ask("Tell me a story about a bee"), temperature: 1.2, seed: 7, max_tokens: 60 };
    const [a, b] = [await openai.chat.completions.create(warm), await openai.chat.completions.create(warm)];
    expect(a.choices[0]?.message.content).toBe(b.choices[0]?.message.content);
    const other = await openai.chat.completions.create({ ...warm, seed: 8 });
    expect(other.choices[0]?.message.content).not.toBe(a.choices[0]?.message.content);
  });

  it("a conversation's second turn is served from the slot's cache", async () => {
    const first = await openai.chat.completions.create(ask("My name is Quentin."));
    const second = await openai.chat.completions.create({
      model: "bee-tiny",
      temperature: 0,
      messages: [
        { role: "user", content: "My name is Quentin." },
        { role: "assistant", content: first.choices[0]?.message.content ?? "" },
        { role: "user", content: "What is my name?" },
      ],
    });
    expect(second.choices[0]?.message.content).toMatch(/\w+/u);
    expect(second.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(10);
  });

  it("abort stops the answer and frees the slot", async () => {
    const stream = await openai.chat.completions.create({
      ...ask("Tell me a story about a bee"),
      ...neverEnding,
      stream: true,
    });
    let chunks = 0;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content && (chunks += 1) === 3) stream.controller.abort();
    }
    expect(chunks).toBeLessThan(900);
    await waitFor("a free slot", async () => (await household.fleet()).hives[0]?.workers[0]?.slots_busy === 0, {
      limitMs: 3_000,
    });
  });

  it("abort before the first byte is the client's own error", async () => {
    const leaving = new AbortController();
    const asked = openai.chat.completions.create(
      { ...ask("Tell me a story about a bee"), ...neverEnding },
      { signal: leaving.signal },
    );
    leaving.abort();
    await expect(asked).rejects.toBeInstanceOf(APIUserAbortError);
  });
});

describe("tools and formats", () => {
  const weather = {
    type: "function" as const,
    function: {
      name: "get_weather",
      description: "The weather of a city.",
      parameters: {
        type: "object",
        properties: { city: { type: "string", enum: ["Bern", "Oslo"] } },
        required: ["city"],
        additionalProperties: false,
      },
    },
  };
  const forced = {
    ...ask("What is the weather in Bern?"),
    tools: [weather],
    tool_choice: { type: "function" as const, function: { name: "get_weather" } },
    max_tokens: 200,
  };

  it("a named tool is called with arguments of its schema, whole and streamed", async () => {
    const whole = (await openai.chat.completions.create(forced)).choices[0];
    const call = whole?.message.tool_calls?.[0];
    expect(whole?.finish_reason).toBe("tool_calls");
    if (call?.type !== "function") throw new Error("no function was called");
    expect(["Bern", "Oslo"]).toContain((JSON.parse(call.function.arguments) as { city: string }).city);
    const streamed = await openai.chat.completions.stream(forced).finalMessage();
    expect(streamed.tool_calls?.[0]).toMatchObject({ type: "function", function: { name: "get_weather" } });
    const again = streamed.tool_calls?.[0];
    expect(again?.type === "function" ? again.function.arguments : "").toBe(call.function.arguments);
  });

  it("the tools helper runs the function and sends its result back", async () => {
    const asked: string[] = [];
    const runner = openai.chat.completions.runTools(
      {
        ...forced,
        tools: [
          {
            type: "function",
            function: {
              ...weather.function,
              parse: JSON.parse as (text: string) => { city: string },
              function: ({ city }: { city: string }) => {
                asked.push(city);
                return "sunny";
              },
            },
          },
        ],
      },
      // The tool is forced each time, so the helper is told to stop after its first result.
      { maxChatCompletions: 1 },
    );
    await runner.done();
    expect(asked).toHaveLength(1);
    expect(runner.messages.at(-1)).toMatchObject({ role: "tool", content: "sunny" });
  });

  it("the structured-output helper parses the answer", async () => {
    const answer = await openai.chat.completions.parse({
      ...ask("Describe a bee."),
      max_tokens: 300,
      response_format: zodResponseFormat(z.object({ colour: z.enum(["red", "blue"]), legs: z.int() }), "bee"),
    });
    expect(["red", "blue"]).toContain(answer.choices[0]?.message.parsed?.colour);
  });

  it("n choices, logprobs, completions with echo", async () => {
    const many = await openai.chat.completions.create({
      ...ask("Who are you?"),
      temperature: 1,
      seed: 3,
      n: 3,
      logprobs: true,
      top_logprobs: 2,
      max_tokens: 6,
    });
    expect(many.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const { logprobs } of many.choices)
      for (const token of logprobs?.content ?? []) {
        expect(token.logprob).toBeLessThanOrEqual(0);
        expect(token.top_logprobs).toHaveLength(2);
      }
    const echoed = await openai.completions.create({ model: "bee-tiny", prompt: "The bee", echo: true, max_tokens: 4 });
    expect(echoed.choices[0]?.text.startsWith("The bee")).toBe(true);
  });

  it("embeddings: floats and base64 are the same vectors", async () => {
    const input = ["a bee", "a hive"];
    const floats = await openai.embeddings.create({ model: "bee-tiny", input, encoding_format: "float" });
    // The client asks for base64 by itself, and decodes it.
    const decoded = await openai.embeddings.create({ model: "bee-tiny", input });
    expect(floats.data).toHaveLength(2);
    decoded.data.forEach(({ embedding }, index) => {
      expect(embedding.length).toBe(floats.data[index]?.embedding.length);
      for (const [at, value] of embedding.entries())
        expect(value).toBeCloseTo(floats.data[index]?.embedding[at] ?? 9, 5);
    });
    expect(floats.usage.prompt_tokens).toBeGreaterThan(0);
  });
});

describe("models", () => {
  it("are listed and retrieved", async () => {
    const ids: string[] = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    expect(ids).toEqual(["bee-tiny"]);
    expect((await openai.models.retrieve("bee-tiny")).object).toBe("model");
  });
});

describe("errors come out as the client's own classes", () => {
  const caught = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => "no error",
      (error: unknown) => error,
    );

  it("a wrong key is AuthenticationError", async () => {
    const stranger = new OpenAI({ baseURL: `${household.url}/v1`, apiKey: "rbee_wrong", maxRetries: 0 });
    const error = await caught(stranger.chat.completions.create(ask("hi")));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("an unknown model is NotFoundError", async () => {
    const error = await caught(openai.chat.completions.create({ ...ask("hi"), model: "gpt-nothing" }));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found" });
    expect(await caught(openai.models.retrieve("gpt-nothing"))).toBeInstanceOf(NotFoundError);
  });

  it("an unsupported field is BadRequestError that names it", async () => {
    const request = { ...ask("hi"), frequency_penality: 1 } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
    const error = await caught(openai.chat.completions.create(request));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "invalid_request", param: "frequency_penality" });
  });

  it("a value out of range names its path", async () => {
    expect(await caught(openai.chat.completions.create({ ...ask("hi"), temperature: 3 }))).toMatchObject({
      status: 400,
      param: "temperature",
    });
    const wrongRole = {
      ...ask("hi"),
      messages: [{ role: "wizard", content: "hi" }],
    } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
    expect(await caught(openai.chat.completions.create(wrongRole))).toMatchObject({
      status: 400,
      param: "messages[0].role",
    });
  });

  it("a prompt that does not fit says both numbers", async () => {
    const error = await caught(openai.chat.completions.create(ask("bee ".repeat(4000))));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "context_length_exceeded" });
    expect((error as APIError).message).toMatch(/\d+ tokens.*1024|1024.*\d+ tokens/u);
  });

  it("an error in the middle of a stream is thrown, not swallowed", async () => {
    const stream = await openai.chat.completions.create({
      ...ask("Tell me a story about a bee"),
      ...neverEnding,
      stream: true,
    });
    const pid = (await household.fleet()).hives[0]?.workers[0]?.pid;
    const read = (async () => {
      let killed = false;
      for await (const chunk of stream) {
        if (killed || !chunk.choices[0]?.delta.content) continue;
        killed = true;
        process.kill(pid ?? Number.NaN, "SIGKILL");
      }
    })();
    const error = await caught(read);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: "worker_crashed" });
  });
});

describe("the OpenAPI document", () => {
  it("is served and describes what the client just used", async () => {
    const document = (await (await fetch(`${household.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, unknown>;
    };
    expect(document.openapi).toMatch(/^3\.1/u);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(["/v1/chat/completions", "/v1/models", "/v1/hive-heartbeat"]),
    );
  });
});
