import Anthropic from "@anthropic-ai/sdk";
import type { FleetModel, HouseholdWorker } from "@rbee/contract";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  externalAnswer,
  startExternalServer,
  type ExternalServer,
  type Misbehaviour,
} from "../support/external-server.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { invitedMember } from "../support/people.ts";
import { waitFor } from "../support/wait-for.ts";

const model = "llama3.2:latest";
const odd = "hf.co/org/Wasp:Q4_K_M";
const oddId = "hf.co-org-Wasp:Q4_K_M";

let server: ExternalServer;
let household: Household;
let key: string;
let openai: OpenAI;

beforeAll(async () => {
  server = await startExternalServer([model, odd]);
  household = await startHousehold({ env: { RBEE_EXTERNAL_SERVERS: `workshop=${server.url}` } });
  await household.readyHive();
  key = await household.key();
  openai = new OpenAI({ apiKey: key, baseURL: `${household.url}/v1`, maxRetries: 0 });
  await listed();
});
afterAll(async () => {
  await household.stop();
  await server.stop();
});
afterEach(() => {
  server.misbehaves = null;
  server.paceMs = 0;
});

const found = async (): Promise<FleetModel | undefined> =>
  (await household.fleet()).models.find(({ id }) => id === model);
const listed = () =>
  waitFor("the model to be listed", async () => (await found())?.external !== undefined, { limitMs: 15_000 });
const worker = async (id = model): Promise<HouseholdWorker | undefined> =>
  (await household.admin.listWorkers()).data.find((one) => one.model === id);
const post = (path: string, body: object) =>
  fetch(`${household.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const messages = [{ role: "user" as const, content: "Who makes honey?" }];
const lastAsked = () => {
  const asked = server.asked.at(-1);
  if (asked === undefined) throw new Error("nothing was asked");
  return asked;
};
const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string; message: string; suggestion: string; param: string | null } })
    .error;
const usageRow = async () => (await household.admin.listUsage({ query: { limit: 1 } })).data[0];

describe("a server of somebody else on a hive's machine", () => {
  it("is listed with its models, and nothing about them is made up", async () => {
    expect(await found()).toMatchObject({
      ...{
        id: model,
        state: "loaded",
        size_bytes: null,
        parameters: null,
        quantization: null,
        hives: [],
        pinned: false,
      },
      external: [{ kind: "ollama", name: "workshop" }],
    });
    const hive = await household.readyHive();
    expect(await worker()).toMatchObject({
      ...{
        engine: "external",
        state: "ready",
        backend: null,
        device: null,
        pid: null,
        rss_mb: null,
        slots_total: null,
      },
      external: { kind: "ollama", name: "workshop", address: server.url, model },
    });
    const told = await waitFor("the hive to tell of it", async () =>
      (await household.fleet()).hives[0]?.capabilities?.external_servers?.find(({ name }) => name === "workshop"),
    );
    expect(told).toMatchObject({ kind: "ollama", version: "0.9.1", models: [oddId, model] });
    const entry = (await openai.models.list()).data.find(({ id }) => id === oddId);
    expect(entry).toMatchObject({
      owned_by: "rbee",
      served_by: [`workshop on ${hive.name}`],
      status: { value: "loaded" },
    });
    expect((await household.admin.explainModel({ params: { id: model }, query: {} })).decision).toMatchObject({
      kind: "use",
      message: `A request goes to workshop on ${hive.name}, which serves ${model}.`,
    });
  });

  it("is shown to members without its address", async () => {
    const { key: theirs } = await invitedMember(household, "Mia");
    const client = household.client(theirs);
    const own = (await client.listWorkers()).data.find((one) => one.model === model);
    expect(own?.external).toMatchObject({ name: "workshop", address: null });
    expect(JSON.stringify(await client.fleet())).not.toContain(server.url);
  });

  it("answers OpenAI's client, whole and as a stream, by the names that people use", async () => {
    const whole = await openai.chat.completions.create({
      model: oddId,
      messages,
      max_completion_tokens: 20,
      top_p: 0.9,
    });
    expect([whole.model, whole.choices[0]?.message.content]).toEqual([oddId, externalAnswer]);
    expect(whole.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 9, total_tokens: 21 });
    expect(lastAsked().body).toEqual({ model: odd, messages, max_tokens: 20, top_p: 0.9, stream: false });
    expect(JSON.stringify(lastAsked().headers)).not.toMatch(/authorization|x-rbee/u);

    let text = "";
    const models = new Set<string>();
    const stream = await openai.chat.completions.create({ model: oddId, messages, stream: true });
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      models.add(chunk.model);
      expect(chunk.usage ?? null).toBeNull();
      expect(chunk.choices).toHaveLength(1);
    }
    expect([text, [...models]]).toEqual([externalAnswer, [oddId]]);
    expect(lastAsked().body).toMatchObject({ stream_options: { include_usage: true } });
    expect(await usageRow()).toMatchObject({ model: oddId, prompt_tokens: 12, completion_tokens: 9, status: 200 });

    const counted = await openai.chat.completions.create({
      ...{ model, messages, stream: true },
      stream_options: { include_usage: true },
    });
    const chunks: unknown[] = [];
    for await (const chunk of counted) chunks.push(chunk);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 9 } });
  });

  it("answers Anthropic's client, Ollama's API, the Responses API, completions, embeddings and tasks", async () => {
    const anthropic = new Anthropic({ apiKey: key, baseURL: household.url, maxRetries: 0 });
    const message = await anthropic.messages.create({ model, max_tokens: 50, messages });
    expect(message.content).toEqual([{ type: "text", text: externalAnswer, citations: null }]);
    expect(message.usage).toMatchObject({ input_tokens: 12, output_tokens: 9 });
    const streamed = await anthropic.messages.stream({ model, max_tokens: 50, messages }).finalMessage();
    expect([streamed.content[0], streamed.usage.output_tokens]).toMatchObject([{ text: externalAnswer }, 9]);

    const ollama = (await (await post("/api/chat", { model, messages, stream: false })).json()) as object;
    expect(ollama).toMatchObject({
      message: { content: externalAnswer },
      done: true,
      prompt_eval_count: 12,
      eval_count: 9,
    });
    const told = (await (await post("/api/chat", { model: "llama3.2", messages })).text()).trim().split("\n");
    expect(JSON.parse(told.at(-1) ?? "")).toMatchObject({ done: true, eval_count: 9 });
    const tags = (await (
      await fetch(`${household.url}/api/tags`, { headers: { authorization: `Bearer ${key}` } })
    ).json()) as { models: { name: string; size: number | null }[] };
    expect(tags.models.find(({ name }) => name === model)).toMatchObject({ size: null });

    const response = await openai.responses.create({ model, input: "Who makes honey?" });
    expect([response.output_text, response.usage?.output_tokens]).toEqual([externalAnswer, 9]);
    const completion = await openai.completions.create({ model, prompt: "Bees" });
    expect([completion.choices[0]?.text, lastAsked().body["max_tokens"]]).toEqual([externalAnswer, 16]);
    const vectors = await openai.embeddings.create({ model, input: "honey", encoding_format: "float" });
    expect([vectors.data[0]?.embedding, vectors.usage.prompt_tokens]).toEqual([[0.6, 0.8], 12]);

    const task = await (await post("/v2/tasks", { model, prompt: "Who makes honey?" })).text();
    expect(task).toContain('"status":"succeeded"');
    expect(task).toContain("[DONE]");
  });

  it("is neither started, stopped nor set by rbee", async () => {
    const { hive_id, worker_id } = (await worker()) ?? { hive_id: "", worker_id: "" };
    const refused = { code: "invalid_request", message: expect.stringContaining("neither starts nor stops") as string };
    await expect(household.admin.stopWorker({ params: { id: hive_id, worker_id } })).rejects.toMatchObject(refused);
    await expect(household.admin.modelSettings({ params: { id: model } })).rejects.toMatchObject(refused);
    const pin = household.admin.updateModelSettings({ params: { id: model }, body: { pinned: true } });
    await expect(pin).rejects.toMatchObject(refused);
  });

  it.each<[string, string, object, string]>([
    ["counting tokens", "/v1/messages/count_tokens", { model, messages }, "model"],
    ["turning text into tokens", "/tokenize", { model, content: "honey" }, "model"],
    ["a grammar", "/v1/chat/completions", { model, messages, grammar: 'root ::= "a"' }, "grammar"],
    ["filling in the middle", "/v1/completions", { model, prompt: "a", suffix: "b" }, "suffix"],
    ["several answers at once", "/v1/chat/completions", { model, messages, n: 2 }, "n"],
  ])("does not pretend to be able to do what only our workers can: %s", async (_, path, body, param) => {
    const response = await post(path, body);
    const text = await response.text();
    expect([response.status, text]).toEqual([400, expect.stringContaining(`workshop on `)]);
    if (path !== "/v1/messages/count_tokens")
      expect((JSON.parse(text) as { error: { param: string } }).error.param).toBe(param);
  });
});

describe("what such a server does wrong", () => {
  const ask = (stream: boolean) => post("/v1/chat/completions", { model, messages, stream });

  it.each<[Misbehaviour, number, string, string]>([
    [
      { status: 400, body: '{"error":"temperature must be small"}' },
      400,
      "invalid_request",
      "temperature must be small",
    ],
    [
      { status: 400, body: '{"error":{"message":"This model\'s maximum context length is 8 tokens","type":"x"}}' },
      ...([400, "context_length_exceeded", "maximum context length is 8"] as const),
    ],
    [{ status: 404, body: '{"error":{"message":"model not found"}}' }, 404, "model_not_found", "model not found"],
    [{ status: 401, body: '{"detail":"no key"}' }, 403, "forbidden", "no key"],
    [{ status: 500, body: `{"message":"${"x".repeat(5_000)}"}` }, 500, "worker_crashed", "xxx…"],
    [
      { status: 302, body: "", headers: { location: "http://127.0.0.1:9/" } },
      500,
      "worker_crashed",
      "sends its clients elsewhere",
    ],
    ["says what is no answer", 500, "worker_crashed", "no answer of a model"],
  ])("is told by the right code of ours and in its own words: %j", async (misbehaviour, status, code, words) => {
    server.misbehaves = misbehaviour;
    for (const stream of [false, true]) {
      const response = await ask(stream);
      expect(response.status).toBe(status);
      const error = await errorOf(response);
      expect(error).toMatchObject({ code, message: expect.stringContaining(words) as string });
      expect(error.message).toMatch(/workshop on /u);
      expect(error.message.length).toBeLessThan(700);
    }
  });

  it("a full one is asked again a little later", async () => {
    server.misbehaves = { status: 429, body: '{"error":{"message":"too busy"}}', headers: { "retry-after": "1" } };
    const before = server.asked.length;
    const asking = ask(false);
    await waitFor("the first refusal", () => server.asked.length > before);
    server.misbehaves = null;
    expect((await asking).status).toBe(200);
    expect(server.asked.length - before).toBe(2);
  });

  it.each<[Misbehaviour, string]>([
    ["dies in its answer", "worker_crashed"],
    ["tells an error in its answer", "worker_crashed"],
    ["forgets the end", "worker_crashed"],
  ])("ends a stream with an error event and never cleanly: %s", async (misbehaviour, code) => {
    server.misbehaves = misbehaviour;
    server.paceMs = 20;
    const text = await (await ask(true)).text();
    expect(text).toContain('"content":"honey, "');
    expect(text).toContain(`"code":"${code}"`);
    expect(text).not.toContain("[DONE]");
    server.misbehaves = null;
    await listed();
  });

  it("does not become a number where it did not count", async () => {
    server.misbehaves = "counts nothing";
    const whole = await openai.chat.completions.create({ model, messages });
    expect([whole.choices[0]?.message.content, whole.usage]).toEqual([externalAnswer, null]);
    const text = await (await ask(true)).text();
    expect(text).toContain("[DONE]");
    expect((await post("/v1/messages", { model, max_tokens: 9, messages })).status).toBe(200);
  });

  it("frees the server when the client leaves", async () => {
    server.paceMs = 100;
    const leaving = new AbortController();
    const stream = await openai.chat.completions.create({ model, messages, stream: true }, { signal: leaving.signal });
    await stream[Symbol.asyncIterator]().next();
    expect(server.answering).toBe(1);
    leaving.abort();
    await waitFor("the server to be free", () => server.answering === 0, { limitMs: 1_500 });
  });

  it("more than it gets at once waits in the household's queue", async () => {
    server.paceMs = 60;
    let most = 0;
    const asked = Array.from({ length: 8 }, () => ask(true).then((response) => response.text()));
    const done = Promise.all(asked).then(() => true);
    await waitFor("four at once", () => {
      most = Math.max(most, server.answering);
      return most >= 4;
    });
    while (!(await Promise.race([done, new Promise<false>((resolve) => setTimeout(() => resolve(false), 20))])))
      most = Math.max(most, server.answering);
    expect(most).toBe(4);
  });
});

describe("a server that goes and comes back", () => {
  it("is listed no more, its models are refused with what to do, and it serves again when it is back", async () => {
    const before = (await worker())?.worker_id;
    await server.stop();
    const goneAt = performance.now();
    const refused = await waitFor("the refusal", async () => {
      const response = await post("/v1/chat/completions", { model, messages });
      return response.status === 404 ? response : undefined;
    });
    expect(performance.now() - goneAt).toBeLessThan(10_000);
    expect(await errorOf(refused)).toMatchObject({
      code: "model_not_found",
      message: expect.stringMatching(/was served by workshop on .+, which does not serve it any more/u) as string,
      suggestion: expect.stringContaining("Start workshop on") as string,
    });
    await waitFor("it to be listed no more", async () => (await found()) === undefined, { limitMs: 10_000 });
    expect((await openai.models.list()).data.map(({ id }) => id)).not.toContain(model);
    expect(await worker()).toMatchObject({ state: "stopped", error: { code: "worker_not_found" } });

    await server.start();
    await listed();
    expect((await worker())?.worker_id).toBe(before);
    const again = await openai.chat.completions.create({ model, messages });
    expect(again.choices[0]?.message.content).toBe(externalAnswer);
  });

  it("that hangs is out of the list within ten seconds, and nobody waits for it for ever", async () => {
    server.misbehaves = "hang";
    const since = performance.now();
    await waitFor("it to be listed no more", async () => (await found()) === undefined, { limitMs: 15_000 });
    expect(performance.now() - since).toBeLessThan(11_000);
    server.misbehaves = null;
    await listed();
  });
});

describe("a model that a hive and a server have", () => {
  it("is answered by the worker that rbee runs when that is ready", async () => {
    server.models = [model, "bee-tiny"];
    await waitFor(
      "both to be known",
      async () =>
        (await household.fleet()).models.some(({ id, external }) => id === "bee-tiny" && external !== undefined),
      { limitMs: 15_000 },
    );
    const before = server.asked.length;
    // Nothing is loaded yet, and the server answers at once.
    await openai.chat.completions.create({ model: "bee-tiny", messages, max_tokens: 3 });
    expect(server.asked.length).toBe(before + 1);
    const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "bee-tiny" } });
    await waitFor(
      "our own worker",
      async () => (await household.admin.getJob({ params: { id: job_id } })).state === "succeeded",
      { limitMs: 30_000 },
    );
    await waitFor("the queen to know it", async () => {
      const answer = await openai.chat.completions.create({ model: "bee-tiny", messages, max_tokens: 3 });
      return answer.choices[0]?.message.content !== externalAnswer;
    });
    const asked = server.asked.length;
    await openai.chat.completions.create({ model: "bee-tiny", messages, max_tokens: 3 });
    expect(server.asked.length).toBe(asked);
  });
});
