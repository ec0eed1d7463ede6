import { chatCompletionSchema } from "@rbee/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonSchemas } from "../test/json-schemas.ts";
import { readyWorker, type TestWorker } from "../test/worker-process.ts";

const count = Number(process.env["RBEE_SCHEMA_FUZZ"] ?? 160);
const atOnce = 8;

let worker: TestWorker;
beforeAll(async () => {
  worker = await readyWorker({ slots: atOnce });
}, 30_000);
afterAll(() => worker.stop());

const ajv = new Ajv2020({ strict: false, validateFormats: false });

async function answer(schema: Record<string, unknown>, seed: number) {
  const reply = await worker.chat({
    messages: [{ role: "user", content: "Tell me something" }],
    response_format: { type: "json_schema", json_schema: { name: "fuzz", schema, strict: true } },
    temperature: seed % 2 === 0 ? 1 : 0.3,
    seed,
    max_tokens: 160,
  });
  expect(reply.status, `${reply.body}\n${JSON.stringify(schema)}`).toBe(200);
  const [choice] = chatCompletionSchema.parse(JSON.parse(reply.body)).choices;
  return { text: choice?.message.content ?? "", reason: choice?.finish_reason };
}

it(`every finished answer of ${count} generated schemas parses and validates`, { timeout: 180_000 }, async () => {
  const schemas = fc.sample(jsonSchemas, { numRuns: count, seed: Number(process.env["RBEE_SCHEMA_SEED"] ?? 1) });
  const next = schemas.entries();
  let finished = 0;
  const work = async () => {
    for (const [index, schema] of next) {
      const { text, reason } = await answer(schema, index);
      if (reason === "length") continue;
      finished++;
      const shown = `${text}\n${JSON.stringify(schema)}`;
      expect(reason, shown).toBe("stop");
      const value: unknown = JSON.parse(text);
      const validate = ajv.compile(schema);
      expect(validate(value), `${shown}\n${ajv.errorsText(validate.errors)}`).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  // Only the model's own long strings may be cut off.
  expect(finished).toBeGreaterThan(count * 0.7);
});
