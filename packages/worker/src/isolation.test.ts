import { chatCompletionSchema, type ChatChunk } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { health, user } from "../test/asking.ts";
import { all, readyWorker, until, type ChatBody, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker({ slots: 8 });
}, 30_000);
afterAll(() => worker.stop());

const whole = async (body: ChatBody) => {
  const reply = await worker.chat(body);
  expect(reply.status, reply.body).toBe(200);
  return chatCompletionSchema.parse(JSON.parse(reply.body));
};
const weather = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } } } },
};
const format = (schema: Record<string, unknown>) => ({
  type: "json_schema" as const,
  json_schema: { name: "x", schema },
});

/** Eight conversations, each with another feature. */
const asked: ChatBody[] = [
  { messages: user("Who are you?") },
  { messages: user("Tell me a story"), logprobs: true, top_logprobs: 5 },
  { messages: user("What is rbee?"), n: 2 },
  {
    messages: user("Name something"),
    response_format: format({ type: "array", items: { enum: ["🐝", 7] }, maxItems: 4 }),
  },
  { messages: user("Weather?"), tools: [weather], tool_choice: "required", parallel_tool_calls: false },
  { messages: user("Hello"), stop: ["!"] },
  { messages: user("Choose"), grammar: 'root ::= ("left" | "right") ("," [a-c]{3}){2}' },
  { messages: user("Tell me a joke"), frequency_penalty: 1, repeat_penalty: 1.2 },
];
const conversations = asked.map((body): ChatBody => ({ temperature: 0, max_tokens: 80, ...body }));

/** What an answer says, without what differs from one time to the next. */
const said = ({ choices }: Awaited<ReturnType<typeof whole>>) =>
  choices.map(({ message, finish_reason: reason, logprobs }) => ({
    reason,
    content: message.content,
    calls: message.tool_calls?.map((call) => call.function),
    tokens: logprobs?.content?.map(({ token }) => token),
  }));

describe("eight different conversations at once", () => {
  it("say what each says alone", { timeout: 60_000 }, async () => {
    const alone = [];
    for (const body of conversations) alone.push(said(await whole(body)));
    for (let round = 0; round < 2; round++) {
      const together = await Promise.all(conversations.map(async (body) => said(await whole(body))));
      expect(together).toEqual(alone);
    }
    expect(alone[3]?.[0]?.content).toMatch(/^\[("🐝"|7|, ?)*\]$/u);
    expect(alone[6]?.[0]?.content).toMatch(/^(left|right)(,[a-c]{3}){2}$/u);
  });

  it("leave no busy slot when their readers leave at any moment", { timeout: 60_000 }, async () => {
    for (let moment = 0; moment < 6; moment++) {
      const streams = await Promise.all(
        conversations.map((body) => worker.stream({ ...body, max_tokens: 300, logit_bias: { "0": -100, "2": -100 } })),
      );
      await Promise.all(
        streams.map(async (stream, index) => {
          const chunks = stream.chunks();
          // Some leave before the first chunk, others in the middle of an answer.
          for (let count = 0; count < (moment + index) % 6; count++) if ((await chunks.next()).done === true) break;
          stream.abort();
        }),
      );
    }
    await until("no busy slot", async () => {
      const { slots_busy: busy, queued } = await health(worker);
      return busy === 0 && queued === 0;
    });
    expect(said(await whole(conversations[0] ?? {}))[0]?.content).toContain("bee-tiny");
  });
});

describe("several choices", () => {
  it("are those of the next seeds, and stream under their own index", async () => {
    const body = { messages: user("Tell me a story"), temperature: 1.3, seed: 11, max_tokens: 20 };
    const three = await whole({ ...body, n: 3 });
    const single = await whole({ ...body, seed: 13 });
    expect(three.choices[2]?.message).toEqual(single.choices[0]?.message);
    const chunks = await all<ChatChunk>((await worker.stream({ ...body, n: 3 })).chunks());
    for (const index of [0, 1, 2]) {
      const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(own[0]?.delta.role).toBe("assistant");
      expect(own.map(({ delta }) => delta.content ?? "").join("")).toBe(three.choices[index]?.message.content);
      expect(own.filter(({ finish_reason: reason }) => reason !== null)).toHaveLength(1);
    }
    expect(chunks.filter(({ timings }) => timings !== undefined)).toHaveLength(1);
    expect(three.usage.completion_tokens).toBe(chunks.at(-1)?.timings?.predicted_n);
    expect(three.usage.prompt_tokens).toBe(single.usage.prompt_tokens);
  });

  it("may be more than there are slots", async () => {
    const small = await readyWorker({ slots: 1, queue_limit: 0 });
    try {
      const reply = await small.chat({ messages: user("Hello"), n: 4, max_tokens: 5 });
      expect(chatCompletionSchema.parse(JSON.parse(reply.body)).choices).toHaveLength(4);
    } finally {
      await small.stop();
    }
  }, 30_000);
});

describe("logprobs", () => {
  const ask = async (more: ChatBody) =>
    (await whole({ messages: user("Who are you?"), temperature: 0, max_tokens: 12, logprobs: true, ...more }))
      .choices[0];

  it("are a distribution in which greedy answers are the likeliest", async () => {
    const choice = await ask({ top_logprobs: 20 });
    const content = choice?.logprobs?.content ?? [];
    expect(content.map(({ token }) => token).join("")).toBe(choice?.message.content);
    for (const { logprob, token, bytes, top_logprobs: top } of content) {
      expect(top).toHaveLength(20);
      expect(top[0]).toEqual({ token, logprob, bytes });
      const sum = top.reduce((total, other) => total + Math.exp(other.logprob), 0);
      expect(sum).toBeGreaterThan(0.5);
      expect(sum).toBeLessThanOrEqual(1.0001);
      expect(Buffer.from(bytes).toString()).toBe(token);
    }
  });

  it("are the model's own, whatever the temperature, and also of tokens that are not among the likeliest", async () => {
    const greedy = (await ask({ max_tokens: 1 }))?.logprobs?.content?.[0];
    const forced = await ask({ max_tokens: 1, temperature: 2, logit_bias: { "100": 100 }, top_logprobs: 1 });
    const [entry] = forced?.logprobs?.content ?? [];
    expect(entry?.token).toBe("a");
    expect(entry?.top_logprobs[0]).toMatchObject({ token: greedy?.token });
    expect(entry?.top_logprobs[0]?.logprob).toBeCloseTo(greedy?.logprob ?? 0, 3);
    expect(entry?.logprob).toBeLessThan(-3);
    expect(entry?.logprob).toBeGreaterThan(-100);
  });

  it("stream with the text that they belong to, up to a stop string and no further", async () => {
    const full = await ask({});
    const stop = full?.message.content?.slice(7, 12) ?? "";
    const chunks = await all<ChatChunk>(
      (await worker.stream({ messages: user("Who are you?"), temperature: 0, logprobs: true, stop })).chunks(),
    );
    const [text, tokens] = [
      chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""),
      chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []).map(({ token }) => token),
    ];
    expect(text).toBe(full?.message.content?.slice(0, 7));
    expect(text.startsWith(tokens.join(""))).toBe(true);
    expect(tokens.length).toBeGreaterThan(0);
  });

  it("need to be asked for before their alternatives are", async () => {
    const reply = await worker.chat({ top_logprobs: 2 });
    expect([reply.status, JSON.parse(reply.body)]).toMatchObject([400, { error: { param: "top_logprobs" } }]);
  });
});
