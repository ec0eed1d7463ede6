import { chatRequestSchema, completionRequestSchema, embeddingsRequestSchema, errorBodySchema } from "@rbee/contract";
import { afterAll, beforeAll, expect, it } from "vitest";
import { user } from "../test/asking.ts";
import { readyWorker, type TestWorker } from "../test/worker-process.ts";

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker();
}, 30_000);
afterAll(() => worker.stop());

const junk: unknown[] = [
  -1,
  1.5,
  1e308,
  "",
  "x",
  "🐝\u0000",
  true,
  [],
  [null],
  ["x", 1],
  [{}],
  {},
  { type: "x" },
  { type: "json_schema", json_schema: { name: "x", schema: { type: "x" } } },
  { type: "function", function: {} },
  { "99999": 1 },
  [{ role: "tool", content: "x" }],
  [{ role: "assistant", content: null, tool_calls: [{ id: "", function: { name: "", arguments: "]" } }] }],
  [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }],
  [{ type: "function", function: { name: "f", parameters: { type: "array" }, strict: true } }],
];

const endpoints = [
  ["/v1/chat/completions", chatRequestSchema, { messages: user("Hi"), max_tokens: 1 }],
  ["/v1/completions", completionRequestSchema, { prompt: "Hi", max_tokens: 1 }],
  ["/v1/embeddings", embeddingsRequestSchema, { input: "Hi" }],
] as const;

it.each(endpoints)(
  "%s: whatever a field holds, the answer is right or a 400 that names it",
  async (path, schema, base) => {
    const fields = [...Object.keys(schema.shape), "no_such_field"];
    const tries = fields.flatMap((field) => junk.map((value) => ({ field, value })));
    let refused = 0;
    const left = tries.values();
    const work = async () => {
      for (const { field, value } of left) {
        const body = { model: "bee-tiny", ...base, [field]: value };
        const reply = await worker.call("POST", path, body);
        const shown = `${JSON.stringify({ [field]: value })}: ${reply.status} ${reply.body.slice(0, 300)}`;
        if (reply.status === 200) continue;
        // A model of another name is one that is not there.
        expect(reply.status, shown).toBe(field === "model" && reply.status === 404 ? 404 : 400);
        const { param } = errorBodySchema.parse(JSON.parse(reply.body)).error;
        // What is too long is so together with another field.
        const names = field.startsWith("max_") ? [field, "messages", "prompt"] : [field];
        expect(
          names.some((name) => param?.startsWith(name)),
          shown,
        ).toBe(true);
        refused++;
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    expect(refused).toBeGreaterThan(tries.length / 2);
  },
  60_000,
);

it.each(["", "{", "[]", "null", '"x"', "\u0000", '{"model":"bee-tiny","messages":'.padEnd(2000, "[")])(
  "a body %j is a 400",
  async (body) => {
    for (const [path] of endpoints) expect((await worker.call("POST", path, body)).status).toBe(400);
  },
);
