import { Ollama } from "ollama";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";
import { waitFor } from "../support/wait-for.ts";

/** Ollama's own client, as it ships, against a running household. */
let household: Household;
let ollama: Ollama;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  ollama = new Ollama({ host: household.url, headers: { Authorization: `Bearer ${await household.key()}` } });
});
afterAll(() => household.stop());

const question = [{ role: "user", content: "What is rbee?" }];
const steady = { temperature: 0 };

describe("chat and generate", () => {
  it("whole: text, reason, counts and durations", async () => {
    const answer = await ollama.chat({ model: "bee-tiny", messages: question, options: steady });
    expect(answer).toMatchObject({ model: "bee-tiny", done: true, done_reason: "stop" });
    expect(answer.message).toMatchObject({ role: "assistant", content: expect.stringMatching(/\w/u) as string });
    expect(answer.eval_count).toBeGreaterThan(0);
    expect(answer.total_duration).toBeGreaterThanOrEqual(answer.eval_duration);
  });

  it("streamed: the same text, and one last line", async () => {
    const whole = await ollama.chat({ model: "bee-tiny:latest", messages: question, options: steady });
    let text = "";
    const last: boolean[] = [];
    for await (const part of await ollama.chat({
      model: "bee-tiny",
      messages: question,
      options: steady,
      stream: true,
    })) {
      text += part.message.content;
      last.push(part.done);
    }
    expect(text).toBe(whole.message.content);
    expect(last.filter(Boolean)).toEqual([true]);
    expect(last.length).toBeGreaterThan(3);
  });

  it("generate answers a prompt as a chat does, and num_predict cuts it", async () => {
    const chat = await ollama.chat({ model: "bee-tiny", messages: question, options: steady });
    const generated = await ollama.generate({ model: "bee-tiny", prompt: "What is rbee?", options: steady });
    expect(generated.response).toBe(chat.message.content);
    const cut = await ollama.generate({
      model: "bee-tiny",
      prompt: "Tell me a story about a bee",
      options: { ...steady, num_predict: 5 },
    });
    expect([cut.done_reason, cut.eval_count]).toEqual(["length", 5]);
    const raw = await ollama.generate({ model: "bee-tiny", prompt: "The bee", raw: true, options: { num_predict: 4 } });
    expect(raw.eval_count).toBeLessThanOrEqual(4);
  });

  it("a request without a question loads the model", async () => {
    const loaded = await ollama.generate({ model: "bee-tiny", prompt: "" });
    expect(loaded).toMatchObject({ done: true, done_reason: "load", response: "" });
  });

  it("an answer follows a schema", async () => {
    const answer = await ollama.chat({
      model: "bee-tiny",
      messages: question,
      options: { ...steady, num_predict: 300 },
      format: {
        type: "object",
        properties: { colour: { enum: ["red", "blue"] }, legs: { type: "integer", minimum: 0, maximum: 9 } },
        required: ["colour", "legs"],
        additionalProperties: false,
      },
    });
    const value = JSON.parse(answer.message.content) as { colour: string; legs: number };
    expect(["red", "blue"]).toContain(value.colour);
    expect(Number.isInteger(value.legs)).toBe(true);
  });
});

describe("models", () => {
  it("are listed, shown and seen running", async () => {
    await ollama.generate({ model: "bee-tiny", prompt: "" });
    const { models } = await ollama.list();
    expect(models.map(({ name }) => name)).toContain("bee-tiny:latest");
    const shown = await ollama.show({ model: "bee-tiny" });
    expect(shown.capabilities).toContain("completion");
    expect(shown.details.format).toBe("gguf");
    // Hives tell once a second what they run.
    await waitFor("it among those that run", async () =>
      (await ollama.ps()).models.some(({ name }) => name === "bee-tiny:latest"),
    );
    expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+/u);
  });

  it("embed gives a vector for each text", async () => {
    const { embeddings } = await ollama.embed({ model: "bee-tiny", input: ["a bee", "a hive"] });
    expect(embeddings).toHaveLength(2);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 3);
  });
});

describe("sizes and errors", () => {
  it("num_ctx is honoured: room for that much, or a refusal that says how much there is", async () => {
    const small = await ollama.chat({ model: "bee-tiny", messages: question, options: { ...steady, num_ctx: 128 } });
    expect(small.done).toBe(true);
    await expect(
      ollama.chat({ model: "bee-tiny", messages: question, options: { num_ctx: 1_000_000 } }),
    ).rejects.toThrow(/context/u);
  });

  it("come with Ollama's shape: one text, and the status", async () => {
    await expect(ollama.chat({ model: "no-such-model", messages: question })).rejects.toMatchObject({
      status_code: 404,
      error: expect.stringContaining("no-such-model") as string,
    });
    const stranger = new Ollama({ host: household.url });
    await expect(stranger.list()).rejects.toMatchObject({ status_code: 401 });
    await expect(ollama.chat({ model: "bee-tiny", messages: question, options: { num_gpu: 1 } })).rejects.toThrow(
      /num_gpu/u,
    );
  });
});
