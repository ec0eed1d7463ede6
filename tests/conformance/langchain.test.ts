import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { createAgent, createMiddleware, tool } from "langchain";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod";
import { startHousehold, type Household } from "../support/household.ts";

/** LangChain's OpenAI client, as it ships. */
let household: Household;
let model: ChatOpenAI;
let apiKey: string;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  apiKey = await household.key();
  model = new ChatOpenAI({
    model: "bee-tiny",
    apiKey,
    temperature: 0,
    maxRetries: 0,
    maxTokens: 200,
    configuration: { baseURL: `${household.url}/v1` },
  });
});
afterAll(() => household.stop());

it("invokes and streams the same answer", async () => {
  const whole = await model.invoke("What is rbee?");
  expect(whole.text).toMatch(/\w/u);
  let text = "";
  for await (const chunk of await model.stream("What is rbee?")) text += chunk.text;
  expect(text).toBe(whole.text);
});

it("structured output follows its schema", async () => {
  const structured = model.withStructuredOutput(z.object({ colour: z.enum(["red", "blue"]) }), {
    method: "jsonSchema",
  });
  expect(["red", "blue"]).toContain((await structured.invoke("Which colour is a bee?")).colour);
});

it("an agent calls its tool and answers", async () => {
  const asked: string[] = [];
  const weather = tool(
    ({ city }: { city: string }) => {
      asked.push(city);
      return "sunny";
    },
    { name: "weather", description: "The weather of a city.", schema: z.object({ city: z.enum(["Bern", "Oslo"]) }) },
  );
  // The model is tiny: it is told to call the tool first, and then to talk.
  const firstCallThenTalk = createMiddleware({
    name: "FirstCallThenTalk",
    wrapModelCall: (request, handler) =>
      handler({
        ...request,
        toolChoice: request.messages.some((message) => message.type === "tool") ? "none" : "required",
      }),
  });
  const agent = createAgent({ model, tools: [weather], middleware: [firstCallThenTalk] });
  const { messages } = await agent.invoke({ messages: [{ role: "user", content: "Weather in Bern?" }] });
  expect(asked.length).toBeGreaterThan(0);
  const types = messages.map((message) => message.type);
  expect([...new Set(types)]).toEqual(["human", "ai", "tool"]);
  expect(types.at(-1)).toBe("ai");
});

it("embeddings", async () => {
  const embeddings = new OpenAIEmbeddings({
    model: "bee-tiny",
    apiKey,
    maxRetries: 0,
    configuration: { baseURL: `${household.url}/v1` },
  });
  const [one, two] = await embeddings.embedDocuments(["a bee", "a hive"]);
  expect(one?.length).toBe(two?.length);
  expect(await embeddings.embedQuery("a bee")).toEqual(one);
});
