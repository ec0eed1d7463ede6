import type { ChatAnswer } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { longChat } from "../support/chat-stream.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
});
afterAll(() => household.stop());

const ask = async (content: string): Promise<ChatAnswer> =>
  household.admin.chat({
    body: { model: "bee-tiny", temperature: 0, max_tokens: 120, messages: [{ role: "user", content }] },
    timeoutMs: 60_000,
  });
const text = (answer: ChatAnswer) => answer.choices[0]?.message.content ?? "";

const questions = [
  "Who are you?",
  "What is rbee?",
  "Hello",
  "What is a hive?",
  "Tell me a story about a bee",
  "What is the capital of France?",
  "How many legs does a bee have?",
  "What can you do?",
  "What colour is the sky?",
  "Good morning",
  "What is a worker?",
  "What is a queen?",
  "Tell me a joke",
  "Thank you",
  "What is honey?",
  "Goodbye",
];

describe("a model that is not loaded", () => {
  it("is loaded once for all who ask at the same time", async () => {
    expect((await household.admin.listModels()).data.map(({ id, status }) => [id, status.value])).toEqual([
      ["bee-tiny", "unloaded"],
    ]);
    const answers = await Promise.all(questions.slice(0, 8).map(ask));
    expect(answers.every((answer) => text(answer) !== "")).toBe(true);
    const [hive] = (await household.fleet()).hives;
    expect(hive?.workers).toHaveLength(1);
    await waitFor(
      "the model's state to follow",
      async () => (await household.admin.listModels()).data[0]?.status.value === "loaded",
    );
  });

  it("that nobody has is 404 and says which exist", async () => {
    const asked = household.admin.chat({ body: { model: "gpt-nothing", messages: [{ role: "user", content: "hi" }] } });
    await expect(asked).rejects.toMatchObject({
      code: "model_not_found",
      status: 404,
      suggestion: expect.stringContaining("bee-tiny") as string,
    });
  });
});

describe("16 chats at once on 4 slots", () => {
  it("answer each as they do alone", async () => {
    const alone: (string | undefined)[] = [];
    for (const question of questions) alone.push(text(await ask(question)));
    const together = (await Promise.all(questions.map(ask))).map(text);
    expect(together).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(8);
  });
});

describe("usage", () => {
  it("is recorded per request, with the tokens that the answer reported", async () => {
    const answer = await ask("Who are you?");
    const row = (await household.admin.listUsage({ query: { limit: 1 } })).data[0];
    expect(row).toMatchObject({
      user: "Ada",
      model: "bee-tiny",
      status: 200,
      prompt_tokens: answer.usage?.prompt_tokens,
      completion_tokens: answer.usage?.completion_tokens,
      cached_tokens: answer.usage?.prompt_tokens_details.cached_tokens,
    });
  });

  it("shows in the Prometheus metrics", async () => {
    for await (const _ of await longChat(household.admin));
    const metrics = await household.admin.metrics();
    expect(metrics).toMatch(/llamacpp:prompt_tokens_total(\{[^}]*\})? [1-9]/u);
    expect(metrics).toMatch(/vllm:time_to_first_token_seconds_count(\{[^}]*\})? [1-9]/u);
    expect(metrics).toMatch(/rbee_hives\{[^}]*healthy[^}]*\} 1/u);
  });
});
