import { completionSchema, embeddingsSchema, errorBodySchema, inputTokensSchema } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { health, user } from "../test/asking.ts";
import { readyWorker, until, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker();
}, 30_000);
afterAll(() => worker.stop());

const post = async (path: string, body: object) => {
  const reply = await worker.call("POST", path, { model: "bee-tiny", ...body });
  const json: unknown = reply.body.startsWith("{") ? JSON.parse(reply.body) : null;
  return { status: reply.status, json, raw: reply.body };
};
const complete = async (body: object) => {
  const { status, json, raw } = await post("/v1/completions", { temperature: 0, ...body });
  expect(status, raw).toBe(200);
  return completionSchema.parse(json);
};
const refusal = async (path: string, body: object) => {
  const { status, json } = await post(path, body);
  return { status, ...errorBodySchema.parse(json).error };
};
const tokens = async (content: string) =>
  ((await post("/v1/tokenize", { content })).json as { tokens: number[] }).tokens;

describe("completions", () => {
  it("go on where the prompt ends, at most 16 tokens unless more are asked for", async () => {
    const short = await complete({ prompt: "rbee is", logit_bias: { "0": -100, "2": -100 } });
    expect([short.usage?.completion_tokens, short.choices[0]?.finish_reason]).toEqual([16, "length"]);
    const echoed = await complete({ prompt: "rbee is", max_tokens: 4, echo: true });
    expect(echoed.choices[0]?.text.startsWith("rbee is")).toBe(true);
  });

  it("several prompts, as text or tokens, have n choices each", async () => {
    const [one, two] = ["rbee is", "A hive"];
    const texts = await complete({ prompt: [one, two], max_tokens: 5, n: 2, echo: true });
    const lists = await complete({ prompt: [await tokens(one), await tokens(two)], max_tokens: 5, n: 2, echo: true });
    expect(texts.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(texts.choices.map(({ text }) => text)).toEqual(lists.choices.map(({ text }) => text));
    expect(texts.choices[3]?.text.startsWith(two)).toBe(true);
    expect(texts.usage?.prompt_tokens).toBe((await tokens(one)).length + (await tokens(two)).length);
  });

  it("more choices than slots are answered all the same", async () => {
    const many = await complete({ prompt: Array.from({ length: 30 }, (_, n) => `rbee ${n}`), max_tokens: 3 });
    expect(many.choices).toHaveLength(30);
  });

  it("stream the same text, and begin with what the prompt cost", async () => {
    const body = { prompt: "rbee is", max_tokens: 6, temperature: 0, n: 2, echo: true, logprobs: undefined };
    const { raw } = await post("/v1/completions", { ...body, stream: true, stream_options: { include_usage: true } });
    expect(raw).toMatch(/^: prompt \d+\+\d+\n\n/u);
    expect(raw.endsWith("data: [DONE]\n\n")).toBe(true);
    const chunks = raw
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => completionSchema.parse(JSON.parse(event.slice(6))));
    const whole = await complete(body);
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(own.map(({ text }) => text).join("")).toBe(whole.choices[index]?.text);
      expect(own.at(-1)?.finish_reason).toBe(whole.choices[index]?.finish_reason);
    }
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
  });

  it("logprobs in the older shape tell each token's place in the text", async () => {
    const [choice] = (await complete({ prompt: "rbee is", max_tokens: 6, logprobs: 3 })).choices;
    const { tokens: pieces = [], text_offset: offsets = [], top_logprobs: top } = choice?.logprobs ?? {};
    expect(pieces.join("")).toBe(choice?.text);
    pieces.forEach((piece, index) => {
      expect(choice?.text.slice(offsets[index]).startsWith(piece)).toBe(true);
      expect(Object.keys(top?.[index] ?? {})).toHaveLength(3);
    });
  });

  it.each([
    [{ suffix: "x" }, "suffix"],
    [{ best_of: 2 }, "best_of"],
    [{ prompt: [1, 99_999] }, "prompt"],
    [{ prompt: [] }, "prompt"],
    [{ prompt: "" }, "prompt"],
    [{ messages: [] }, "messages"],
    [{ echo: true, logprobs: 1 }, "logprobs"],
    [{ n: 9 }, "n"],
  ])("refuse %j by name", async (body, param) => {
    expect(await refusal("/v1/completions", { prompt: "x", ...body })).toMatchObject({ status: 400, param });
  });

  it("refuse a prompt that does not fit, with both numbers", async () => {
    expect(await refusal("/v1/completions", { prompt: "x", max_tokens: 5000 })).toMatchObject({
      code: "context_length_exceeded",
      param: "prompt",
      details: { prompt_tokens: 1, max_tokens: 5000, context_length: 1024 },
    });
  });
});

describe("embeddings", () => {
  const embed = async (body: object) => {
    const { status, json, raw } = await post("/v1/embeddings", body);
    expect(status, raw).toBe(200);
    return embeddingsSchema.parse(json);
  };
  const vector = (value: unknown) => {
    if (Array.isArray(value)) return value as number[];
    const bytes = Buffer.from(String(value), "base64");
    return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
  };
  const dot = (one: number[], other: number[]) =>
    one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);

  it("the same text has the same vector of length 1, alone or among others, as numbers or base64", async () => {
    const texts = ["a queen commands hives", "bees", "a queen commands hives", "日本 🐝"];
    const batch = await embed({ input: texts });
    const vectors = batch.data.map(({ embedding }) => vector(embedding));
    expect(batch.data.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(vectors[0]).toEqual(vectors[2]);
    for (const one of vectors) expect(dot(one, one)).toBeCloseTo(1, 5);
    expect(dot(vectors[0] ?? [], vectors[1] ?? [])).toBeLessThan(0.999);
    const single = await embed({ input: texts[1], encoding_format: "base64" });
    expect(vector(single.data[0]?.embedding)).toEqual(vectors[1]);
    const asTokens = await embed({ input: await tokens("bees") });
    expect(vector(asTokens.data[0]?.embedding)).toEqual(vectors[1]);
    expect(batch.usage?.prompt_tokens).toBeGreaterThan(batch.data.length);
  });

  it("grow with a longer text and go on beside a chat", async () => {
    const long = "bee ".repeat(400);
    const [{ data }, text] = await Promise.all([
      embed({ input: long, dimensions: 256 }),
      worker.text({ messages: user("Who are you?"), temperature: 0 }),
    ]);
    expect(vector(data[0]?.embedding)).toHaveLength(256);
    expect(text).toContain("bee-tiny");
    await until("nothing to do", async () => (await health(worker)).slots_busy === 0);
  });

  it.each([
    [{ dimensions: 10 }, "dimensions"],
    [{ input: [[99_999]] }, "input[0]"],
    [{ input: "" }, "input"],
    [{ encoding_format: "int8" }, "encoding_format"],
  ])("refuse %j by name", async (body, param) => {
    expect(await refusal("/v1/embeddings", { input: "x", ...body })).toMatchObject({ status: 400, param });
  });

  it("refuse a text that does not fit, with both numbers", async () => {
    expect(await refusal("/v1/embeddings", { input: ["ok", "buzz ".repeat(2000)] })).toMatchObject({
      code: "context_length_exceeded",
      param: "input[1]",
      details: { context_length: 1024 },
    });
  });
});

describe("tokens", () => {
  it("come back as the text that they were made of", async () => {
    const content = "Hé 🐝<|im_end|> x";
    const back = await post("/v1/detokenize", { tokens: await tokens(content) });
    expect(back.json).toEqual({ content });
    const pieces = await post("/v1/tokenize", { content: "é<|im_end|>", parse_special: false, with_pieces: true });
    const { tokens: list } = pieces.json as { tokens: { id: number; piece: string | number[] }[] };
    expect(list.some(({ id }) => id === 2)).toBe(false);
    const bytes = list.flatMap(({ piece }) => (typeof piece === "string" ? [...Buffer.from(piece)] : piece));
    expect(Buffer.from(bytes).toString()).toBe("é<|im_end|>");
  });

  it("of a chat are counted as the chat counts them", async () => {
    const body = { messages: user("Who are you?") };
    const counted = inputTokensSchema.parse((await post("/v1/chat/completions/input_tokens", body)).json);
    const answer = (await post("/v1/chat/completions", { ...body, max_tokens: 1 })).json;
    expect(answer).toMatchObject({ usage: { prompt_tokens: counted.input_tokens } });
  });
});
