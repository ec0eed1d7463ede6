import { chatCompletionSchema, errorBodySchema } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { health, user } from "../test/asking.ts";
import { readyWorker, until, type ChatBody, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker();
}, 30_000);
afterAll(() => worker.stop());

const ask = async (body: ChatBody) => {
  const reply = await worker.chat({ messages: user("Tell me something"), temperature: 0, ...body });
  expect(reply.status, reply.body).toBe(200);
  const [choice] = chatCompletionSchema.parse(JSON.parse(reply.body)).choices;
  return { text: choice?.message.content ?? "", reason: choice?.finish_reason };
};
const refusal = async (body: ChatBody) => {
  const reply = await worker.chat(body);
  return { status: reply.status, ...errorBodySchema.parse(JSON.parse(reply.body)).error };
};
const json = (schema: Record<string, unknown>): ChatBody => ({
  response_format: { type: "json_schema", json_schema: { name: "x", schema } },
});

describe("response_format", () => {
  it("json_object is always an object", async () => {
    for (const seed of [1, 2, 3, 4]) {
      const { text, reason } = await ask({
        response_format: { type: "json_object" },
        temperature: 1,
        seed,
        max_tokens: 200,
      });
      if (reason === "length") continue;
      expect(JSON.parse(text)).toEqual(expect.any(Object));
    }
  });

  it("an answer that is cut off says length", async () => {
    const { text, reason } = await ask({ ...json({ type: "string", minLength: 100 }), max_tokens: 5 });
    expect(reason).toBe("length");
    expect(() => JSON.parse(text) as unknown).toThrow();
  });

  it("streams the same text", async () => {
    const body = json({ type: "object", properties: { n: { type: "integer", minimum: 10, maximum: 12 } } });
    const whole = await ask(body);
    expect(await worker.text({ messages: user("Tell me something"), temperature: 0, ...body })).toBe(whole.text);
  });

  it("llama.cpp's schema beside json_object is enforced, too", async () => {
    const { text } = await ask({ response_format: { type: "json_object", schema: { enum: [42] } } });
    expect(text).toBe("42");
  });

  it.each([
    [{ not: {} }, "not"],
    [{ properties: { a: { if: {} } } }, "properties.a.if"],
    [{ $ref: "https://example.com/x.json" }, "$ref"],
    [{ $ref: "#/$defs/missing" }, "$ref"],
    [{ $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, "$defs.a.$ref"],
    [{ type: "array", items: [{ type: "strin" }] }, "items[0].type"],
    [{ type: "array", uniqueItems: true }, "uniqueItems"],
    [{ type: "integer", multipleOf: 3 }, "multipleOf"],
    [{ type: "integer", minimum: 5, maximum: 4 }, "maximum"],
    [{ type: "string", pattern: "(?=a)b" }, "pattern"],
    [{ type: "string", pattern: "^a$", maxLength: 3 }, "maxLength"],
    [{ type: "string", format: "phone" }, "format"],
    [{ type: "string", maxLength: 10_000_000 }, "maxLength"],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "oneOf"],
    [{ enum: [] }, "enum"],
    [{ type: "object", properties: { a: false }, required: ["a"] }, "properties.a"],
    [{ patternProperties: { "^a": {} } }, "patternProperties"],
    [{ anyOf: "x" }, "anyOf"],
    [{ type: "object", minProperties: 3 }, "minProperties"],
  ])("refuses %j by the keyword and its place", async (schema, place) => {
    expect(await refusal(json(schema))).toMatchObject({
      status: 400,
      code: "invalid_request",
      param: `response_format.json_schema.schema.${place}`,
    });
  });

  it("refuses a schema that is too deep or too large instead of failing", async () => {
    let deep: Record<string, unknown> = { type: "string" };
    for (let depth = 0; depth < 300; depth++) deep = { type: "array", items: deep };
    const wide = Object.fromEntries(Array.from({ length: 30_000 }, (_, index) => [`key${index}`, { type: "null" }]));
    for (const schema of [deep, { type: "object", properties: wide }])
      expect(await refusal(json(schema))).toMatchObject({ status: 400, code: "invalid_request" });
  });
});

describe("grammar", () => {
  it("holds the answer to it", async () => {
    const { text } = await ask({ grammar: 'root ::= ("ja" | "nein") "!"' });
    expect(["ja!", "nein!"]).toContain(text);
  });

  it.each(["root ::= foo", "root ::= root", 'rot ::= "a"', "{{{", "root ::= [a-z]{0,1999999"])(
    "%j is refused by name",
    async (grammar) => {
      expect(await refusal({ grammar })).toMatchObject({ status: 400, param: "grammar" });
    },
  );

  it("cannot be combined with other formats, and says so", async () => {
    const grammar = 'root ::= "a"';
    expect(await refusal({ grammar, response_format: { type: "json_object" } })).toMatchObject({ param: "grammar" });
  });

  it("in a dead end fails its own request alone", async () => {
    // Every token that could go on is forbidden.
    const forbidden = Object.fromEntries(Array.from({ length: 1280 }, (_, token) => [String(token), -100]));
    const other = worker.text({ messages: user("Who are you?"), temperature: 0 });
    const dead = await worker.chat({ grammar: 'root ::= "\\u0378"', logit_bias: forbidden, max_tokens: 20 });
    expect([200, 500]).toContain(dead.status);
    expect(await other).toContain("bee-tiny");
    await until("no busy slot", async () => (await health(worker)).slots_busy === 0);
  });
});
