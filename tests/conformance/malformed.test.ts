import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";

/** Requests that cannot be meant so: each is refused with 400 and the name of the field that is wrong. */
let household: Household;
let key: string;

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  key = await household.key();
});
afterAll(() => household.stop());

const model = "bee-tiny";
const messages = [{ role: "user", content: "Hi" }];
const notText = [5, true, {}, ["x"]];
const notNumber = ["x", true, {}, [1]];
const notFlag = ["maybe", 2, {}, []];
const notObject = ["x", 5, true, [1]];

interface Endpoint {
  readonly path: string;
  readonly body: Record<string, unknown>;
  /** Values that each field refuses. */
  readonly wrong: Readonly<Record<string, readonly unknown[]>>;
}

const sampling = {
  stream: notFlag,
  temperature: [...notNumber, -0.1, 2.1],
  top_p: [...notNumber, -1, 1.1],
  top_k: [...notNumber, -1, 1.5],
  min_p: [...notNumber, -1, 2],
  seed: [...notNumber, 1.5],
  stop: [5, true, "", [""], [5]],
  presence_penalty: [...notNumber, -3, 3],
  frequency_penalty: [...notNumber, -3, 3],
  repeat_penalty: [...notNumber, 0],
  logit_bias: [...notObject, { word: 1 }, { 5: 101 }],
  max_tokens: [...notNumber, 0, 1.5, -1],
  n: [...notNumber, 0, 1.5],
  user: notText,
};
const badModel = [...notText, "", "../etc/passwd", "a b", ".hidden"];
const badTools = ["x", [5], [{ type: "web_search" }], [{ type: "function" }]];

const endpoints: readonly Endpoint[] = [
  {
    path: "/v1/chat/completions",
    body: { model, messages },
    wrong: {
      ...sampling,
      model: badModel,
      messages: ["x", [], [5], [{ role: "king", content: "x" }], [{ role: "user" }], [{ role: "tool", content: "x" }]],
      max_completion_tokens: [...notNumber, 0],
      tools: badTools,
      tool_choice: ["perhaps", 5, "required", { type: "function", function: { name: "nobody" } }],
      parallel_tool_calls: notFlag,
      response_format: [...notObject, { type: "yaml" }, { type: "json_schema" }],
      logprobs: notFlag,
      top_logprobs: [...notNumber, 21, -1, 3],
      stream_options: [...notObject, { include_secrets: true }],
      grammar: [5, "", {}],
      store: [true, 5],
      metadata: [...notObject, { a: 1 }],
      reasoning_effort: ["enormous", 5],
      chat_template_kwargs: notObject,
      functions: [[]],
      audio: [{}],
      modalities: [["audio"]],
    },
  },
  {
    path: "/v1/completions",
    body: { model, prompt: "Hi" },
    wrong: {
      ...sampling,
      model: badModel,
      prompt: [5, true, {}, [], "", [[]], [true]],
      suffix: [5, {}],
      echo: notFlag,
      logprobs: [...notNumber, 21],
      best_of: [2, "x"],
    },
  },
  {
    path: "/v1/embeddings",
    body: { model, input: "Hi" },
    wrong: {
      model: badModel,
      input: [5, true, {}, [], "", [[]], [true]],
      encoding_format: ["hex", 5],
      dimensions: [...notNumber, 0, 1.5],
    },
  },
  {
    path: "/v1/responses",
    body: { model, input: "Hi" },
    wrong: {
      model: badModel,
      input: [5, true, {}, [], [{ role: "king", content: "x" }], [{ type: "computer_call" }]],
      instructions: [5, {}],
      previous_response_id: [5, {}, "resp_unknown"],
      store: notFlag,
      stream: notFlag,
      max_output_tokens: [...notNumber, 0],
      temperature: [...notNumber, 3],
      top_p: [...notNumber, 2],
      tools: ["x", [5], [{ type: "web_search" }], [{ type: "function" }]],
      tool_choice: ["perhaps", 5],
      text: [5, { format: { type: "yaml" } }],
      truncation: ["auto", 5],
      background: [true],
      include: [["message.output_text.logprobs"], 5],
      conversation: ["conv_1"],
      prompt: [{ id: "p" }],
    },
  },
  {
    path: "/v1/messages",
    body: { model, messages, max_tokens: 5 },
    wrong: {
      model: badModel,
      messages: ["x", [], [5], [{ role: "system", content: "x" }], [{ role: "user", content: [{ type: "image" }] }]],
      max_tokens: [...notNumber, 0],
      system: [5, {}, [{ type: "image" }]],
      stop_sequences: ["x", [5], [""]],
      stream: notFlag,
      temperature: [...notNumber, 1.1],
      top_p: [...notNumber, 2],
      top_k: [...notNumber, -1],
      tools: ["x", [5], [{ type: "bash_20250124", name: "bash" }], [{ name: "x" }]],
      tool_choice: ["auto", { type: "perhaps" }, { type: "tool" }],
      thinking: ["x", { type: "enabled" }],
      metadata: [5, { name: "x" }],
      mcp_servers: [[]],
    },
  },
  {
    path: "/v1/messages/count_tokens",
    body: { model, messages },
    wrong: { model: badModel, messages: ["x", []], max_tokens: [5] },
  },
  {
    path: "/api/chat",
    body: { model, messages },
    wrong: {
      model: badModel,
      messages: ["x", [5], [{ role: "king", content: "x" }]],
      stream: notFlag,
      format: [5, "yaml"],
      options: ["x", { num_gpu: 1 }, { temperature: "hot" }, { num_ctx: 1 }],
      tools: badTools,
      think: ["hard", 5],
      images: [["x"]],
    },
  },
  {
    path: "/api/generate",
    body: { model, prompt: "Hi" },
    wrong: {
      model: badModel,
      prompt: [5, {}],
      system: [5],
      raw: notFlag,
      context: [[1, 2]],
      template: ["{{ .Prompt }}"],
      images: [["aGk="]],
    },
  },
  {
    path: "/api/embed",
    body: { model, input: "Hi" },
    wrong: { model: badModel, input: [5, [], [5]], dimensions: [...notNumber, 0], options: [{ num_gpu: 1 }] },
  },
  { path: "/api/show", body: { model }, wrong: { model: badModel, system: ["x"] } },
  {
    path: "/tokenize",
    body: { model, content: "Hi" },
    wrong: { model: badModel, content: [5, {}], add_special: notFlag, with_pieces: notFlag },
  },
  { path: "/detokenize", body: { model, tokens: [1] }, wrong: { model: badModel, tokens: ["x", ["x"], [-1], [1.5]] } },
  {
    path: "/v2/tasks",
    body: { model, prompt: "Hi" },
    wrong: { model: [5, {}, ""], prompt: [5, {}], max_tokens: [...notNumber, 0], temperature: [...notNumber, 3] },
  },
];

interface Case {
  readonly path: string;
  readonly field: string;
  readonly body: unknown;
}

const cases: Case[] = endpoints.flatMap(({ path, body, wrong }) => [
  { path, field: "surprise", body: { ...body, surprise: 1 } },
  ...Object.keys(body).map((field) => ({ path, field, body: { ...body, [field]: undefined } })),
  ...Object.entries(wrong).flatMap(([field, values]) =>
    values.map((value) => ({ path, field, body: { ...body, [field]: value } })),
  ),
]);

/** Leaving out these is no mistake. */
const optional = new Set(["/api/chat messages", "/api/generate prompt", "/tokenize model", "/detokenize model"]);

async function refusal({ path, body }: { path: string; body: unknown }): Promise<{ status: number; text: string }> {
  const response = await fetch(`${household.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

describe("a malformed request", () => {
  it("there are hundreds of kinds", () => {
    expect(cases.length).toBeGreaterThan(400);
  });

  it("the ones that they are made from are understood: only the model is not there", async () => {
    const understood = endpoints.filter(({ path }) => path !== "/v2/tasks");
    const answers = await Promise.all(understood.map(refusal));
    expect(answers.map(({ status }) => status)).toEqual(understood.map(() => 404));
  });

  it.each(endpoints.map(({ path }) => path))("to %s is refused by the name of its field", async (path) => {
    const asked = cases.filter(
      (each) =>
        each.path === path &&
        !(optional.has(`${path} ${each.field}`) && (each.body as Record<string, unknown>)[each.field] === undefined),
    );
    const answers = await Promise.all(
      asked.map(async (each) => ({ field: each.field, sent: JSON.stringify(each.body), ...(await refusal(each)) })),
    );
    const wrong = answers.filter(({ status, text, field }) => status !== 400 || !text.includes(field));
    expect(wrong).toEqual([]);
  });

  it.each(["", "{", "[]", "5", "null", '"x"'])("%j instead of an object is refused everywhere", async (body) => {
    const answers = await Promise.all(endpoints.map(({ path }) => refusal({ path, body })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
  });
});
