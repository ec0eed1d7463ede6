import { chatCompletionSchema } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readyWorker, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker({ slots: 4, speculation: "off" });
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

async function answered(by: TestWorker, messages: { role: string; content: string }[]) {
  const answer = await by.chat({ messages: messages as never, temperature: 0, max_tokens: 100 });
  const { choices, timings } = chatCompletionSchema.parse(JSON.parse(answer.body));
  return { content: choices[0]?.message.content ?? "", timings };
}

const ask = async (question: string) => (await answered(worker, [{ role: "user", content: question }])).content;

describe("temperature 0", () => {
  it("gives 16 chats on 4 slots, all at once, the answers that each gets alone", { timeout: 60_000 }, async () => {
    const together = await Promise.all(questions.map(ask));
    const alone: string[] = [];
    for (const question of questions) alone.push(await ask(question));
    expect(together).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(10);
  });

  it("gives the same answers when their text is guessed, wherever it can be", { timeout: 60_000 }, async () => {
    const guessing = await readyWorker({ slots: 1, speculation: "always" });
    try {
      let [guessed, right] = [0, 0];
      for (const question of questions) {
        const first = { role: "user", content: question };
        const alone = await answered(worker, [first]);
        // The second time the answer stands in the conversation, so that much of it can be guessed.
        const again = [first, { role: "assistant", content: alone.content }, first];
        for (const messages of [[first], again]) {
          const { content, timings } = await answered(guessing, messages);
          expect(content).toBe((await answered(worker, messages)).content);
          guessed += timings?.draft_n ?? 0;
          right += timings?.draft_n_accepted ?? 0;
        }
      }
      expect(guessed).toBeGreaterThan(200);
      expect(right).toBeGreaterThan(100);
    } finally {
      await guessing.stop();
    }
  });
});
