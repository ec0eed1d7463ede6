import OpenAI, { BadRequestError } from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { startHousehold, type Household } from "../support/household.ts";

/** The Responses API through OpenAI's own client. */
let household: Household;
let openai: OpenAI;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  openai = new OpenAI({ baseURL: `${household.url}/v1`, apiKey: await household.key(), maxRetries: 0 });
});
afterAll(() => household.stop());

const ask = (input: string) => ({ model: "bee-tiny", temperature: 0, input });
const weather = {
  type: "function" as const,
  name: "get_weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", enum: ["Bern", "Oslo"] } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
};

it("whole: text, status and usage", async () => {
  const response = await openai.responses.create(ask("What is rbee?"));
  expect(response).toMatchObject({ object: "response", status: "completed", error: null, incomplete_details: null });
  expect(response.output_text).toMatch(/\w/u);
  expect(response.usage?.total_tokens).toBe((response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0));
});

it("streamed: numbered events, the same text, one end", async () => {
  const whole = await openai.responses.create(ask("What is rbee?"));
  const stream = await openai.responses.create({ ...ask("What is rbee?"), stream: true });
  const types: string[] = [];
  const numbers: number[] = [];
  let text = "";
  for await (const event of stream) {
    types.push(event.type);
    numbers.push(event.sequence_number);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  expect(text).toBe(whole.output_text);
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(types.slice(0, 2)).toEqual(["response.created", "response.in_progress"]);
  expect(types.filter((type) => type === "response.completed")).toHaveLength(1);
  expect(types.at(-1)).toBe("response.completed");
});

it("the stream helper gives the final response", async () => {
  const stream = openai.responses.stream(ask("Who are you?"));
  const response = await stream.finalResponse();
  expect(response.output_text).toMatch(/\w/u);
});

it("cut at max_output_tokens it is incomplete, and says why", async () => {
  const response = await openai.responses.create({ ...ask("Tell me a story about a bee"), max_output_tokens: 5 });
  expect(response).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
});

it("structured output is parsed by the helper", async () => {
  const response = await openai.responses.parse({
    ...ask("Describe a bee."),
    max_output_tokens: 300,
    text: { format: zodTextFormat(z.object({ colour: z.enum(["red", "blue"]) }), "bee") },
  });
  expect(["red", "blue"]).toContain(response.output_parsed?.colour);
});

describe("a conversation", () => {
  it("goes on from a tool's call by the response's id alone", async () => {
    const called = await openai.responses.create({
      ...ask("What is the weather in Bern?"),
      tools: [weather],
      tool_choice: "required",
      parallel_tool_calls: false,
      max_output_tokens: 300,
    });
    const call = called.output.find((item) => item.type === "function_call");
    expect(call).toMatchObject({ name: "get_weather", status: "completed" });
    expect(["Bern", "Oslo"]).toContain((JSON.parse(call?.arguments ?? "") as { city: string }).city);
    const answered = await openai.responses.create({
      model: "bee-tiny",
      temperature: 0,
      previous_response_id: called.id,
      tools: [weather],
      tool_choice: "none",
      input: [{ type: "function_call_output", call_id: call?.call_id ?? "", output: "sunny" }],
    });
    expect(answered.output_text).toMatch(/\w/u);
    expect(answered.previous_response_id).toBe(called.id);
  });

  it("is kept unless it is not to be stored, and can be forgotten", async () => {
    const kept = await openai.responses.create(ask("Hello"));
    expect((await openai.responses.retrieve(kept.id)).id).toBe(kept.id);
    const next = await openai.responses.create({ ...ask("Hello"), previous_response_id: kept.id });
    expect(next.usage?.input_tokens).toBeGreaterThan(
      (kept.usage?.input_tokens ?? 0) + (kept.usage?.output_tokens ?? 0),
    );
    await openai.responses.delete(kept.id);
    const secret = await openai.responses.create({ ...ask("Hello"), store: false });
    for (const { id } of [kept, secret]) {
      const next = openai.responses.create({ ...ask("And?"), previous_response_id: id });
      await expect(next).rejects.toBeInstanceOf(BadRequestError);
      await expect(next).rejects.toMatchObject({ param: "previous_response_id" });
    }
  });
});
