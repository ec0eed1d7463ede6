import { chatCompletionSchema } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readyWorker, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker({ slots: 4 });
}, 30_000);
afterAll(() => worker.stop());

const questions = [
  "Who are you?",
  "What is rbee?",
  "Hello",
  "How are you?",
  "Tell me a story",
  "Tell me a joke",
  "What is a hive?",
  "What is a worker?",
  "What is a queen?",
  "What is the capital of France?",
  "What is 2 + 2?",
  "Good night",
  "Thank you",
  "What can you do?",
  "Write a haiku",
  "How many legs does an ant have?",
];

async function ask(question: string): Promise<string> {
  const body = { messages: [{ role: "user" as const, content: question }], temperature: 0, max_tokens: 100 };
  const answer = await worker.chat(body);
  return chatCompletionSchema.parse(JSON.parse(answer.body)).choices[0]?.message.content ?? "";
}

describe("temperature 0", () => {
  it("gives 16 chats on 4 slots, all at once, the answers that each gets alone", { timeout: 60_000 }, async () => {
    const together = await Promise.all(questions.map(ask));
    const alone: string[] = [];
    for (const question of questions) alone.push(await ask(question));
    expect(together).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(10);
  });
});
