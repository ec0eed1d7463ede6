import OpenAI, { APIConnectionError, PermissionDeniedError, RateLimitError } from "openai";
import { queenEndpoints, type Endpoint } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatEvents, longChat, neverEnding, type StreamEvent } from "../../support/chat-stream.ts";
import {
  errorAnswer,
  expectCommandFault,
  expectFault,
  failureOf,
  retryAfterS,
  type ErrorAnswer,
  type Fault,
} from "../../support/fault.ts";
import { freeze, thawAll } from "../../support/frozen.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { invitedMember } from "../../support/people.ts";
import { tenTimesAsFast } from "../../support/process.ts";
import { runningWorker } from "../../support/running-worker.ts";
import { sendSlowly } from "../../support/slow-client.ts";
import { waitFor } from "../../support/wait-for.ts";

let household: Household;
let key: string;
let memberKey: string;

beforeAll(async () => {
  household = await startHousehold({ env: { ...tenTimesAsFast, RBEE_QUEUE_LIMIT: "4" } });
  await household.readyHive();
  key = await household.key();
  memberKey = (await invitedMember(household, "Grace")).key;
});
afterAll(async () => {
  thawAll();
  await household.stop();
});

const messages = [{ role: "user", content: "Hello" }];
const send = (method: string, path: string, body?: string, credentials: Record<string, string> = {}) =>
  fetch(`${household.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...credentials },
    ...(body === undefined ? {} : { body }),
  });
const refused = async (method: string, path: string, body?: unknown, credentials?: Record<string, string>) =>
  errorAnswer(await send(method, path, body === undefined ? undefined : JSON.stringify(body), credentials));
const chat = (change: object) => refused("POST", "/v1/chat/completions", { model: "bee-tiny", messages, ...change });
const openai = (apiKey = key) => new OpenAI({ baseURL: `${household.url}/v1`, apiKey, maxRetries: 0 });

/** Stops the worker as it stands, so that what it is doing lasts as long as a test wants. */
const freezeWorker = async () => {
  freeze((await runningWorker(household)).pid);
};

describe("a chat that makes no sense", () => {
  const user = (content: unknown) => [{ role: "user", content }];

  it.each<[string, object, string]>([
    ["no model", { model: undefined }, "model"],
    ["an empty model", { model: "" }, "model"],
    ["a model that is a number", { model: 7 }, "model"],
    ["a model that is a path", { model: "../../etc/passwd" }, "model"],
    ["no messages", { messages: undefined }, "messages"],
    ["an empty list of messages", { messages: [] }, "messages"],
    ["messages that are text", { messages: "Hello" }, "messages"],
    ["a message that is none", { messages: [null] }, "messages[0]"],
    ["an unknown role", { messages: [{ role: "wizard", content: "x" }] }, "messages[0].role"],
    ["content that is a number", { messages: user(7) }, "messages[0].content"],
    [
      "content of an unknown kind",
      { messages: user([{ type: "smell", smell: "honey" }]) },
      "messages[0].content[0].type",
    ],
    ["an unknown field", { colour: "yellow" }, "colour"],
    ["a temperature that is too high", { temperature: 2.1 }, "temperature"],
    ["a temperature that is text", { temperature: "hot" }, "temperature"],
    ["a negative top_p", { top_p: -0.1 }, "top_p"],
    ["max_tokens of 0", { max_tokens: 0 }, "max_tokens"],
    ["max_tokens of a half", { max_tokens: 0.5 }, "max_tokens"],
    ["max_completion_tokens below 0", { max_completion_tokens: -1 }, "max_completion_tokens"],
    ["a seed that is text", { seed: "seven" }, "seed"],
    ["a stop that is a number", { stop: 7 }, "stop"],
    ["a stream that is text", { stream: "yes" }, "stream"],
    ["an unknown stream option", { stream: true, stream_options: { colour: 1 } }, "stream_options.colour"],
    ["a bias that is too large", { logit_bias: { "5": 1_000 } }, "logit_bias.5"],
    ["a penalty that is too large", { presence_penalty: 3 }, "presence_penalty"],
    ["n of 0", { n: 0 }, "n"],
  ])("invalid_request: %s is refused and named", async (_, change, param) => {
    const { error } = await chat(change);
    expectFault(error, { code: "invalid_request", message: /\w{3}/u, suggestion: /\w{3}/u, param });
  });

  it("context_length_exceeded: tells both numbers, in the API and in the command line", async () => {
    const fault: Fault = {
      code: "context_length_exceeded",
      message: /\d{4} tokens.*1024|1024.*\d{4} tokens/u,
      suggestion: /Shorten the conversation|shorter/u,
      details: { prompt_tokens: expect.any(Number) as number, context_length: 1024 },
    };
    const prompt = "buzz ".repeat(2_000);
    for (const stream of [false, true]) expectFault((await chat({ stream, messages: user(prompt) })).error, fault);
    await expectCommandFault(household, ["infer", "--model", "bee-tiny", "--prompt", prompt], fault);
  });
});

const endpoints = Object.entries(queenEndpoints as Record<string, Endpoint>);
const shorten = (name: string, { method, path }: Endpoint) => [name, method, path] as const;

/** Where errors have the shape of Anthropic's or Ollama's API. */
const otherDialect = /^\/(?:v1\/messages|api)(?:\/|$)/u;

describe("whatever is sent to an endpoint is never a fault of rbee's own", () => {
  const nonsense = ["", "{", "[]", "null", '"x"', "7", '{"__proto__":1}', `${'{"a":'.repeat(500)}1${"}".repeat(500)}`];
  const withBody = endpoints.filter(([, { body }]) => body !== undefined).map(([name, row]) => shorten(name, row));

  it.each(withBody)("invalid_request: %s refuses bodies that are none", async (_, method, path) => {
    for (const body of nonsense) {
      const response = await send(method, path.replaceAll(/\{\w+\}/gu, "x"), body);
      expect([body, response.status]).toEqual([body, expect.toSatisfy((code: number) => code >= 400 && code < 500)]);
      if (otherDialect.test(path)) expect(await response.json()).toHaveProperty("error");
      else expect((await errorAnswer(response)).error.suggestion).toMatch(/\w{3}/u);
    }
  });

  const odd = [
    "%00",
    "..%2F..%2Fetc%2Fpasswd",
    "%F0%9F%90%9D",
    "%E0%A4%A",
    "a".repeat(3_000),
    "%3Cscript%3E",
    "'%20OR%201=1--",
  ];
  const withParams = endpoints.filter(([, { path }]) => path.includes("{")).map(([name, row]) => shorten(name, row));

  it.each(withParams)("%s refuses addresses that make no sense", async (name, method, path) => {
    for (const value of odd) {
      const body = method === "GET" || method === "DELETE" ? undefined : "{}";
      const response = await send(
        method,
        path.replaceAll(/\{\w+\}/gu, () => value),
        body,
      );
      expect([value, response.status < 500 ? "fine" : `${response.status} ${await response.text()}`]).toEqual([
        value,
        "fine",
      ]);
      if (response.status >= 400 && !otherDialect.test(path)) await errorAnswer(response);
      else await response.body?.cancel();
      expect(name).not.toBe("");
    }
  });

  const withQuery = endpoints.filter(([, { query }]) => query !== undefined).map(([name, row]) => shorten(name, row));

  it.each(withQuery)("invalid_request: %s refuses a query that it does not know", async (_, method, path) => {
    const { error } = await refused(method, `${path.replaceAll(/\{\w+\}/gu, "x")}?colour=yellow&limit=-1`);
    expect(error.code).toMatch(/^(invalid_request|\w+_not_found|not_found)$/u);
  });
});

describe("whoever asks without the right to", () => {
  it("missing_api_key, invalid_api_key: is told how to get in", async () => {
    const path = "/v1/chat/completions";
    const without = await errorAnswer(await fetch(`${household.url}${path}`, { method: "POST", body: "{}" }));
    expect(without.headers.get("www-authenticate")).toBe("Bearer");
    expectFault(without.error, { code: "missing_api_key", message: /\w{3}/u, suggestion: /Authorization: Bearer/u });
    for (const credentials of [
      { authorization: "Bearer rbee_wrong", "x-api-key": "" },
      { authorization: "", "x-api-key": "rbee_wrong" },
    ])
      expectFault((await refused("POST", path, {}, credentials)).error, {
        code: "invalid_api_key",
        message: /unknown, revoked or expired/u,
        suggestion: /Make a new one/u,
      });
  });

  it("forbidden: a member is told to ask an administrator", async () => {
    const { error } = await refused("GET", "/v1/users", undefined, { authorization: `Bearer ${memberKey}` });
    expectFault(error, { code: "forbidden", message: /administrator/iu, suggestion: /administrator/iu });
    expect(await failureOf(openai(memberKey).get("/users"))).toBeInstanceOf(PermissionDeniedError);
  });
});

describe("what is not there", () => {
  const nobody = "hive:00000000-0000-4000-8000-000000000000";

  it.each<[string, string, string, unknown, Fault, readonly string[] | null]>([
    [
      "not_found",
      ...(["GET", "/v1/nothing", undefined] as const),
      { code: "not_found", message: /\/v1\/nothing/u, suggestion: /openapi\.json/u },
      null,
    ],
    [
      "method_not_allowed",
      ...(["DELETE", "/v1/models", undefined] as const),
      { code: "method_not_allowed", message: /DELETE/u, suggestion: /GET|Allow/u },
      null,
    ],
    [
      "model_not_found",
      ...(["POST", "/v1/chat/completions", { model: "wasp", messages }] as const),
      { code: "model_not_found", message: /wasp/u, suggestion: /bee-tiny/u, param: "model" },
      ["worker", "spawn", "--model", "wasp"],
    ],
    [
      "node_not_found",
      ...(["GET", `/v1/hives/${nobody}`, undefined] as const),
      { code: "node_not_found", message: /hive/u, suggestion: /join token|rbee hive/u },
      null,
    ],
    [
      "job_not_found",
      ...(["GET", "/v1/jobs/nothing", undefined] as const),
      { code: "job_not_found", message: /job/u, suggestion: /rbee job list/u },
      ["job", "show", "nothing"],
    ],
    [
      "worker_not_found",
      ...(["GET", "/v1/workers/worker:nothing/health", undefined] as const),
      { code: "worker_not_found", message: /worker/u, suggestion: /rbee worker list/u },
      null,
    ],
  ])("%s: says what would make it be there", async (_, method, path, body, fault, command) => {
    expectFault((await refused(method, path, body)).error, fault);
    if (command !== null) await expectCommandFault(household, command, fault);
  });

  it("already_exists: a machine cannot take the place of another", async () => {
    const [hive] = (await household.fleet()).hives;
    const { token } = await household.admin.createJoinToken({ body: {} });
    const identity = { hive_id: hive?.hive_id, hive_token: "t".repeat(43), name: "thief", port: 1 };
    const body = { join_token: token, ...identity, version: "0", api_version: "v1" };
    const { status, error } = await refused("POST", "/v1/hives/enroll", body, { authorization: "" });
    expect(status).toBe(409);
    expectFault(error, {
      code: "already_exists",
      message: /is enrolled with another secret/u,
      suggestion: /Remove that/u,
    });
  });
});

describe("a client that is slow", () => {
  it("request_timeout: is told so after a minute, before and behind SvelteKit, and is let go", async () => {
    const authorization = `Bearer ${key}`;
    const paths = ["/v1/chat/completions", "/v1/chat/completions?long-way", "/v1/jobs"];
    const answers = await Promise.all(
      paths.map((path) => sendSlowly(`${household.url}${path}`, { authorization }, 200)),
    );
    for (const { status, body, afterMs } of answers) {
      expect(status).toBe(408);
      expectFault((JSON.parse(body) as ErrorAnswer).error, {
        code: "request_timeout",
        message: /did not arrive in time/u,
        suggestion: /Send it faster/u,
      });
      expect(afterMs).toBeGreaterThan(5_500);
      expect(afterMs).toBeLessThan(9_000);
    }
  });
});

describe("more than the household can take", () => {
  it("queue_full: says when to come back", async () => {
    const leaving = new AbortController();
    await send("POST", "/v1/chat/completions", JSON.stringify({ model: "bee-tiny", messages }));
    await freezeWorker();
    // Five are with the worker, and one person may fill half of the queue.
    const asked = Array.from({ length: 7 }, () => longChat(household.admin, leaving.signal).catch(() => undefined));
    await waitFor("two to wait", async () => (await household.fleet()).totals.requests_waiting === 2);
    const { status, headers, error } = await chat({});
    expect(status).toBe(429);
    expect(retryAfterS(headers)).toBeLessThan(120);
    expectFault(error, { code: "queue_full", message: /wait/u, suggestion: /\w{3}/u });
    const thrown = await failureOf(
      openai().chat.completions.create({ model: "bee-tiny", messages: [{ role: "user", content: "Hi" }] }),
    );
    expect(thrown).toBeInstanceOf(RateLimitError);
    expect(thrown).toMatchObject({ status: 429, code: "queue_full" });
    leaving.abort();
    thawAll();
    await Promise.all(asked);
  });

  it("rate_limited: machines that try join tokens are slowed down", async () => {
    const { hive_id, hive_token } = {
      hive_id: "hive:00000000-0000-4000-8000-000000000001",
      hive_token: "t".repeat(43),
    };
    const body = {
      join_token: "rbeejoin_guess",
      hive_id,
      hive_token,
      name: "thief",
      version: "0",
      api_version: "v1",
      port: 1,
    };
    const codes = new Set<string>();
    let last: ErrorAnswer | undefined;
    for (let tries = 0; tries < 70 && !codes.has("rate_limited"); tries += 1) {
      last = await refused("POST", "/v1/hives/enroll", body, { authorization: "" });
      codes.add(last.error.code);
    }
    expect([...codes]).toEqual(["invalid_api_key", "rate_limited"]);
    expectFault(last?.error, { code: "rate_limited", message: /Too many attempts/u, suggestion: /Wait \d+ s/u });
    expect(retryAfterS(last?.headers ?? new Headers())).toBeLessThanOrEqual(600);
  });
});

describe("a queen that stops", () => {
  it("overloaded: ends what is under way with an error, refuses what waits, and is then not there", async () => {
    const events: StreamEvent[] = [];
    const read = async (response: Response) => {
      for await (const event of chatEvents(response)) events.push(event);
    };
    const body = JSON.stringify({ model: "bee-tiny", messages, stream: true, ...neverEnding });
    const running = await Promise.all([1, 2, 3, 4].map(() => send("POST", "/v1/chat/completions", body)));
    await freezeWorker();
    const reading = Promise.all(running.map(read));
    // One more is with the worker, and has got nothing yet.
    const waiting = [1, 2].map(() => send("POST", "/v1/chat/completions", body));
    await waitFor("one to wait", async () => (await household.fleet()).totals.requests_waiting === 1);
    household.queen.child.kill("SIGTERM");
    const fault: Fault = {
      code: "overloaded",
      message: /The queen is stopping/u,
      suggestion: /Try again in a few seconds/u,
    };
    for (const each of waiting) {
      const { status, headers, error } = await errorAnswer(await each);
      expect([status, retryAfterS(headers)]).toEqual([503, 5]);
      expectFault(error, fault);
    }
    thawAll();
    await reading;
    const ends = events.flatMap((event) => (event.kind === "chunk" ? [] : [event]));
    expect(ends).toHaveLength(4);
    for (const end of ends) expectFault(end.kind === "error" ? end.error : end, fault);
    expect(await household.queen.exited).toBe(0);
    expect(await failureOf(openai().models.list())).toBeInstanceOf(APIConnectionError);
    const told = await failureOf(household.client(key).listModels());
    expectFault(told, { code: "queen_unreachable", message: /queen/u, suggestion: /Start it with/u });
  });
});
