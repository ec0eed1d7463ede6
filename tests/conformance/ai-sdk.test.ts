import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod";
import { startHousehold, type Household } from "../support/household.ts";

/** The AI SDK with its client for OpenAI-compatible servers, as they ship. */
let household: Household;
let provider: ReturnType<typeof createOpenAICompatible>;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  provider = createOpenAICompatible({
    name: "rbee",
    baseURL: `${household.url}/v1`,
    apiKey: await household.key(),
    supportsStructuredOutputs: true,
    includeUsage: true,
  });
});
afterAll(() => household.stop());

const steady = { temperature: 0, maxRetries: 0 };

it("text, whole and streamed, is the same", async () => {
  const model = provider("bee-tiny");
  const whole = await generateText({ model, prompt: "What is rbee?", ...steady });
  expect(whole.text).toMatch(/\w/u);
  expect(whole.finishReason).toBe("stop");
  const streamed = streamText({ model, prompt: "What is rbee?", ...steady });
  let text = "";
  for await (const part of streamed.textStream) text += part;
  expect(text).toBe(whole.text);
  expect((await streamed.usage).outputTokens).toBe(whole.usage.outputTokens);
});

it("an object follows its schema", async () => {
  const { object } = await generateObject({
    model: provider("bee-tiny"),
    schema: z.object({ colour: z.enum(["red", "blue"]), legs: z.int().min(0).max(9) }),
    prompt: "Describe a bee.",
    maxOutputTokens: 300,
    ...steady,
  });
  expect(["red", "blue"]).toContain(object.colour);
});

it("a tool is called with arguments of its schema, and its result goes back", async () => {
  const asked: unknown[] = [];
  const result = await generateText({
    model: provider("bee-tiny"),
    prompt: "What is the weather in Bern?",
    tools: {
      weather: tool({
        description: "The weather of a city.",
        inputSchema: z.object({ city: z.enum(["Bern", "Oslo"]) }),
        execute: (input) => {
          asked.push(input);
          return "sunny";
        },
      }),
    },
    maxOutputTokens: 200,
    stopWhen: stepCountIs(2),
    // The model is tiny: it is told to call the tool first, and then to talk.
    prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? ("required" as const) : ("none" as const) }),
    ...steady,
  });
  expect(asked).toHaveLength(1);
  expect(result.steps).toHaveLength(2);
  expect(result.steps[0]?.toolResults[0]?.output).toBe("sunny");
});

it("embeddings come in order", async () => {
  const { embeddings } = await embedMany({
    model: provider.embeddingModel("bee-tiny"),
    values: ["a bee", "a hive", "a bee"],
    maxRetries: 0,
  });
  expect(embeddings[0]).toEqual(embeddings[2]);
  expect(embeddings[0]).not.toEqual(embeddings[1]);
});
