import { chatCompletionSchema, type ChatCompletion } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { health } from "../test/asking.ts";
import { readyWorker, until, type ChatBody, type TestWorker } from "../test/worker-process.ts";

const questions = [
  "Who are you?",
  "What is rbee?",
  "Hello",
  "Tell me a story",
  "What is a hive?",
  "Good night",
  "What can you do?",
  "Write a haiku",
];
let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker({ slots: questions.length });
}, 30_000);
afterAll(() => worker.stop());

/** About 500 tokens. */
const systemPrompt = (name: string) =>
  `You are ${name}. ${"Answer briefly, and be kind to everybody who asks you about bees and hives. ".repeat(24)}`;

const bodyOf = (system: string, question: string): ChatBody => ({
  messages: [
    { role: "system", content: system },
    { role: "user", content: question },
  ],
  temperature: 0,
  max_tokens: 30,
});

async function ask(system: string, question: string, of = worker): Promise<ChatCompletion> {
  const reply = await of.chat(bodyOf(system, question));
  expect(reply.status, reply.body).toBe(200);
  return chatCompletionSchema.parse(JSON.parse(reply.body));
}

const computed = (answers: readonly ChatCompletion[]) =>
  answers.reduce((sum, { timings }) => sum + (timings?.prompt_n ?? Number.NaN), 0);
const textOf = ({ choices }: ChatCompletion) => choices[0]?.message.content;

describe("people with one system prompt", () => {
  it("who come together have it computed once, and get the answers that each gets alone", async () => {
    const system = systemPrompt("Ada's bee");
    const together = await Promise.all(questions.map((question) => ask(system, question)));
    const one = together[0]?.usage.prompt_tokens ?? 0;
    expect(one).toBeGreaterThan(450);
    expect(computed(together)).toBeLessThan(1.3 * one);
    for (const { timings, usage } of together)
      expect((timings?.cache_n ?? 0) + (timings?.prompt_n ?? 0)).toBe(usage.prompt_tokens);

    const alone = await readyWorker({ slots: 1 });
    try {
      for (const [index, question] of questions.entries()) {
        // Another prompt in between: all of this one is computed again.
        await ask("Be brief.", question, alone);
        const whole = await ask(system, question, alone);
        expect(whole.timings?.prompt_n).toBeGreaterThan(400);
        expect(together.map(textOf)[index]).toBe(textOf(whole));
      }
    } finally {
      await alone.stop();
    }
  }, 60_000);

  it("get the same state, to the last bit, as in the slot in which it was computed", async () => {
    const single = await readyWorker({ slots: 1 });
    try {
      const system = systemPrompt("Eve's bee");
      const seen = async (of: TestWorker) => {
        await ask(system, "Hello", of);
        const reply = await of.chat({ ...bodyOf(system, "Tell me a story"), logprobs: true, top_logprobs: 5 });
        const answer = chatCompletionSchema.parse(JSON.parse(reply.body));
        return { cached: answer.timings?.cache_n, logprobs: answer.choices[0]?.logprobs };
      };
      const [own, copied] = [await seen(single), await seen(worker)];
      expect(own.cached).toBeGreaterThan(450);
      expect(copied).toEqual(own);
    } finally {
      await single.stop();
    }
  }, 30_000);

  it("have it from one who is being answered", async () => {
    const system = systemPrompt("Ben's bee");
    const running = await worker.stream({
      ...bodyOf(system, "Hello"),
      max_tokens: 400,
      logit_bias: { "0": -100, "2": -100 },
    });
    await running.chunks().next();
    const late = await ask(system, "What is a worker?");
    running.abort();
    expect(late.timings?.cache_n).toBeGreaterThan(450);
  }, 30_000);

  it("do not wait for one who left while it was computed", async () => {
    const system = systemPrompt("Cleo's bee");
    const first = await worker.stream(bodyOf(system, "Hello"));
    const others = questions.slice(1).map((question) => ask(system, question));
    first.abort();
    const answers = await Promise.all(others);
    expect(computed(answers)).toBeLessThan(1.4 * (answers[0]?.usage.prompt_tokens ?? 0));
    await until("no busy slot", async () => (await health(worker)).slots_busy === 0);
  }, 30_000);
});
