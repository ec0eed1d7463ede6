import Anthropic, { AuthenticationError, BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";
import { waitFor } from "../support/wait-for.ts";

/** Anthropic's own client, as it ships, against a running household. */
let household: Household;
let anthropic: Anthropic;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  anthropic = new Anthropic({ baseURL: household.url, apiKey: await household.key(), maxRetries: 0 });
});
afterAll(() => household.stop());

const ask = (content: string) => ({
  model: "bee-tiny",
  max_tokens: 64,
  temperature: 0,
  messages: [{ role: "user" as const, content }],
});

const weather = {
  name: "get_weather",
  description: "The weather of a city.",
  input_schema: {
    type: "object" as const,
    properties: { city: { type: "string", enum: ["Bern", "Oslo"] }, days: { type: "integer", minimum: 1, maximum: 5 } },
    required: ["city", "days"],
    additionalProperties: false,
  },
};

describe("messages", () => {
  it("whole: text, stop reason and usage", async () => {
    const message = await anthropic.messages.create(ask("What is rbee?"));
    expect(message).toMatchObject({ type: "message", role: "assistant", stop_reason: "end_turn", stop_sequence: null });
    expect(message.content).toEqual([expect.objectContaining({ type: "text", text: expect.stringMatching(/\w/u) })]);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
    expect(message.usage.input_tokens + (message.usage.cache_read_input_tokens ?? 0)).toBeGreaterThan(0);
  });

  it("streamed: the helper puts together what a whole answer says", async () => {
    const whole = await anthropic.messages.create(ask("What is rbee?"));
    const pieces: string[] = [];
    const stream = anthropic.messages.stream(ask("What is rbee?")).on("text", (text) => void pieces.push(text));
    const message = await stream.finalMessage();
    expect(message.content).toEqual(whole.content);
    expect(message.stop_reason).toBe(whole.stop_reason);
    expect(message.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(pieces.length).toBeGreaterThan(2);
  });

  it("max_tokens and stop_sequences end an answer by their names", async () => {
    const cut = await anthropic.messages.create({ ...ask("Tell me a story about a bee"), max_tokens: 5 });
    expect([cut.stop_reason, cut.usage.output_tokens]).toEqual(["max_tokens", 5]);
    const full = await anthropic.messages.create(ask("What is rbee?"));
    const text = full.content[0]?.type === "text" ? full.content[0].text : "";
    const stop = text.slice(7, 12);
    const stopped = await anthropic.messages.create({ ...ask("What is rbee?"), stop_sequences: [stop] });
    expect(stopped).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: stop });
    expect(stopped.content).toMatchObject([{ type: "text", text: text.slice(0, text.indexOf(stop)) }]);
  });

  it("a system prompt and an earlier turn are part of the prompt", async () => {
    const bare = await anthropic.messages.countTokens({ model: "bee-tiny", messages: ask("Hello").messages });
    const more = await anthropic.messages.countTokens({
      model: "bee-tiny",
      system: "You are a bee.",
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hello!" },
        { role: "user", content: [{ type: "text", text: "Hello", cache_control: { type: "ephemeral" } }] },
      ],
    });
    expect(more.input_tokens).toBeGreaterThan(bare.input_tokens + 8);
    const { usage } = await anthropic.messages.create(ask("Hello"));
    expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(bare.input_tokens);
  });
});

describe("tools", () => {
  it("a forced tool gets arguments of its schema, whole and streamed", async () => {
    const request = {
      ...ask("What is the weather in Bern?"),
      max_tokens: 256,
      tools: [weather],
      tool_choice: { type: "tool" as const, name: "get_weather" },
    };
    const whole = await anthropic.messages.create(request);
    expect(whole.stop_reason).toBe("tool_use");
    const call = whole.content.find((block) => block.type === "tool_use");
    expect(call).toMatchObject({ name: "get_weather", id: expect.stringMatching(/./u) as string });
    const { city, days } = call?.input as { city: string; days: number };
    expect(["Bern", "Oslo"]).toContain(city);
    expect([1, 2, 3, 4, 5]).toContain(days);

    const streamed = await anthropic.messages.stream(request).finalMessage();
    expect(streamed.content.find((block) => block.type === "tool_use")?.input).toEqual(call?.input);
    expect(streamed.stop_reason).toBe("tool_use");
  });

  it("the result of a tool goes back, and the answer follows", async () => {
    const answer = await anthropic.messages.create({
      ...ask(""),
      tools: [weather],
      tool_choice: { type: "none" },
      messages: [
        { role: "user", content: "What is the weather in Bern?" },
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "get_weather", input: { city: "Bern" } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "Sunny." }] },
      ],
    });
    expect(answer.content[0]?.type).toBe("text");
  });
});

describe("errors", () => {
  it("come out as the client's own classes, in Anthropic's shape", async () => {
    const stranger = new Anthropic({ baseURL: household.url, apiKey: "rbee_wrong", maxRetries: 0 });
    await expect(stranger.messages.create(ask("Hi"))).rejects.toBeInstanceOf(AuthenticationError);
    const missing = anthropic.messages.create({ ...ask("Hi"), model: "no-such-model" });
    await expect(missing).rejects.toBeInstanceOf(NotFoundError);
    await expect(missing).rejects.toMatchObject({ error: { type: "error", error: { type: "not_found_error" } } });
    const unknown = anthropic.messages.create({ ...ask("Hi"), container: "x" } as never);
    await expect(unknown).rejects.toBeInstanceOf(BadRequestError);
    await expect(unknown).rejects.toThrow(/container/u);
    const long = anthropic.messages.create(ask("bee ".repeat(20_000)));
    await expect(long).rejects.toMatchObject({ status: 400, error: { error: { code: "context_length_exceeded" } } });
  });

  it("an aborted stream frees its slot", async () => {
    const stream = anthropic.messages.stream({ ...ask("Tell me a story about a bee"), max_tokens: 900 });
    await new Promise((resolve) => stream.once("text", resolve));
    stream.abort();
    await expect(stream.finalMessage()).rejects.toThrow();
    await waitFor("a free worker", async () =>
      (await household.fleet()).hives.flatMap(({ workers }) => workers).every(({ slots_busy }) => slots_busy === 0)
        ? true
        : undefined,
    );
  });
});
