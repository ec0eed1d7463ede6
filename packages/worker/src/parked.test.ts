import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chatCompletionSchema, parkingKeyHeader, type ChatCompletion, type ChatRequest } from "@rbee/contract";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readyWorker, type TestWorker } from "../test/worker-process.ts";

let folder: string;
const workers: TestWorker[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rbee-parked-"));
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
  rmSync(folder, { recursive: true, force: true });
});

const [ada, ben] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
type Messages = ChatRequest["messages"];
const opening: Messages = [
  { role: "system", content: `You are a bee. ${"The hive is warm and the flowers are open today. ".repeat(12)}` },
  { role: "user", content: "Who are you?" },
];

async function start(options: { limit_mb?: number; context_length?: number } = {}): Promise<TestWorker> {
  const { limit_mb = 64, ...more } = options;
  const worker = await readyWorker({ slots: 2, parking: { folder, limit_mb, disk_margin_mb: 0 }, ...more });
  workers.push(worker);
  return worker;
}

async function ask(worker: TestWorker, key: string | null, messages: Messages): Promise<ChatCompletion> {
  const body = { model: "bee-tiny", messages, temperature: 0, max_tokens: 30, logprobs: true, top_logprobs: 5 };
  const headers: Record<string, string> = key === null ? {} : { [parkingKeyHeader]: key };
  const reply = await worker.call("POST", "/v1/chat/completions", body, headers);
  expect(reply.status, reply.body).toBe(200);
  return chatCompletionSchema.parse(JSON.parse(reply.body));
}

const textOf = ({ choices }: ChatCompletion) => choices[0]?.message.content ?? "";
const secondTurn = (first: ChatCompletion): Messages => [
  ...opening,
  { role: "assistant", content: textOf(first) },
  { role: "user", content: "What is rbee?" },
];

async function drained(worker: TestWorker): Promise<void> {
  worker.child.send({ type: "drain", limit_ms: 5_000 });
  expect(await worker.exited).toBe(0);
}

const files = () => readdirSync(folder).map((name) => join(folder, name));

/** Both turns as one worker answers them in one slot. */
let first: ChatCompletion;
let second: ChatCompletion;
beforeAll(async () => {
  const worker = await readyWorker({ slots: 1 });
  first = await ask(worker, null, opening);
  second = await ask(worker, null, secondTurn(first));
  await worker.stop();
}, 30_000);

/** Leaves the first turn on disk. */
async function parkFirst(): Promise<string> {
  const worker = await start();
  expect(textOf(await ask(worker, ada, opening))).toBe(textOf(first));
  await drained(worker);
  const [path = "", ...more] = files();
  expect([path === "", more]).toEqual([false, []]);
  return path;
}

describe("a conversation whose worker is stopped", () => {
  it("goes on in the next worker with only its new part computed, and the same to the last bit", async () => {
    await parkFirst();
    const worker = await start();
    const again = await ask(worker, ada, secondTurn(first));
    // The last token of an answer is never computed, and the template may end it in its own way.
    expect(again.timings?.cache_n).toBeGreaterThanOrEqual(first.usage.total_tokens - 2);
    expect(again.choices[0]?.logprobs).toEqual(second.choices[0]?.logprobs);
    expect(textOf(again)).toBe(textOf(second));
    await drained(worker);
    // What it was earlier on is not kept.
    expect(files()).toHaveLength(1);
  }, 60_000);

  it("is on disk for its user alone", async () => {
    const path = await parkFirst();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(path);
    const worker = await start();
    const reply = await worker.call("POST", "/v1/tokenize", { model: "bee-tiny", content: "The hive is warm and the" });
    const { tokens } = JSON.parse(reply.body) as { tokens: number[] };
    expect(tokens.length).toBeGreaterThan(3);
    expect(bytes.includes(Buffer.from(Uint32Array.from(tokens).buffer))).toBe(false);
    // The mark with which the engine's own files begin.
    expect(bytes.includes(Buffer.from("qsgg"))).toBe(false);
    expect((await ask(worker, ben, secondTurn(first))).timings?.cache_n).toBe(0);
    expect(worker.output()).not.toContain(ada);
  }, 60_000);

  it("is computed again when its file was changed, or the engine is set up in another way", async () => {
    const path = await parkFirst();
    const whole = readFileSync(path);
    const changed = Buffer.from(whole);
    changed[whole.length - 1000] = (changed.at(whole.length - 1000) ?? 0) ^ 1;
    writeFileSync(path, changed);
    const worker = await start();
    const again = await ask(worker, ada, secondTurn(first));
    expect(again.timings?.cache_n).toBe(0);
    expect(textOf(again)).toBe(textOf(second));
    expect(worker.output()).toContain("a parked conversation cannot be used and is removed");
    expect(files()).toHaveLength(0);

    writeFileSync(path, whole);
    const shorter = await start({ context_length: 512 });
    expect((await ask(shorter, ada, secondTurn(first))).timings?.cache_n).toBe(0);
    expect(files()).toContain(path);
  }, 60_000);
});

describe("a conversation whose slot another one takes", () => {
  it("is parked, and goes on when its user comes back", async () => {
    const worker = await start();
    await ask(worker, ada, opening);
    for (const name of ["one", "two", "three"])
      await ask(worker, ben, [{ role: "user", content: `My name is ${name}. ${`I like ${name}. `.repeat(60)}` }]);
    expect(worker.output()).toContain("a conversation was parked");
    const again = await ask(worker, ada, secondTurn(first));
    expect(again.timings?.cache_n).toBeGreaterThanOrEqual(first.usage.total_tokens - 2);
  }, 60_000);

  it("makes room for newer ones, and one that is too large is not parked", async () => {
    const limitMb = 3;
    const worker = await start({ limit_mb: limitMb });
    for (const name of ["one", "two", "three", "four", "five", "six"])
      await ask(worker, ada, [{ role: "user", content: `My name is ${name}. ${`I like ${name}. `.repeat(60)}` }]);
    await drained(worker);
    expect(worker.output().split("a conversation was parked").length - 1).toBeGreaterThanOrEqual(4);
    const total = files().reduce((sum, path) => sum + statSync(path).size, 0);
    expect(total).toBeLessThanOrEqual(limitMb * 1024 ** 2);
    expect(files().length).toBeGreaterThan(0);

    const small = await start({ limit_mb: 0.1 });
    await ask(small, ben, opening);
    await drained(small);
    expect(small.output()).toContain("was not parked");
  }, 60_000);
});
