import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { neverEnding } from "../support/chat-stream.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { waitFor } from "../support/wait-for.ts";

/** What apps meet around the answers: origins, ids, timings, and leaving at any moment. */
let household: Household;
let key: string;
const page = "https://notes.example";

beforeAll(async () => {
  household = await startHousehold({ env: { RBEE_CORS_ORIGINS: `${page}, http://localhost:3000` } });
  await household.readyHive();
  key = await household.key();
});
afterAll(() => household.stop());

const question = { model: "bee-tiny", messages: [{ role: "user", content: "Hello" }], max_tokens: 8, temperature: 0 };

const post = (path: string, body: object, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${household.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });

describe("a page of another origin", () => {
  const preflight = (path: string, origin: string) =>
    fetch(`${household.url}${path}`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-os",
      },
    });

  it.each(["/v1/chat/completions", "/v1/models", "/api/chat"])("may ask %s when it is allowed", async (path) => {
    const asked = await preflight(path, page);
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-origin")).toBe(page);
    expect(asked.headers.get("access-control-allow-headers")).toContain("x-stainless-os");
    expect(asked.headers.get("access-control-allow-credentials")).toBeNull();
    expect(asked.headers.get("vary")).toContain("origin");
  });

  it("gets its answer, errors included, with the header that lets it read it", async () => {
    const answer = await post("/v1/chat/completions", question, { origin: page });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, page]);
    const refused = await post("/v1/chat/completions", { ...question, model: "no-such-model" }, { origin: page });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([404, page]);
  });

  it("is not let in when it is not allowed, and pages of the dashboard never are", async () => {
    for (const [path, origin] of [
      ["/v1/chat/completions", "https://evil.example"],
      ["/login", page],
    ] as const) {
      const asked = await preflight(path, origin);
      expect(asked.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a request's id", () => {
  it("is the client's own when it is a plain one; both of the same name count", async () => {
    const id = "my-app:42";
    for (const path of ["/v1/chat/completions", "/v1/chat/completions?long-way"]) {
      const answer = await post(path, question, { "x-request-id": id });
      expect(answer.headers.get("x-request-id")).toBe(id);
    }
    const rows = await waitFor("both in the usage", async () => {
      const { data } = await household.admin.listUsage({ query: { limit: 50 } });
      const own = data.filter(({ request_id }) => request_id.startsWith(id));
      return own.length === 2 ? own : undefined;
    });
    expect(rows.every(({ completion_tokens }) => (completion_tokens ?? 0) > 0)).toBe(true);
  });

  it.each(["a b", "x".repeat(200), "<script>"])("is a new one instead of %j", async (id) => {
    const answer = await post("/v1/chat/completions", question, { "x-request-id": id });
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/u);
  });
});

it("server-timing says what loading, waiting, reading the prompt and answering took", async () => {
  const whole = (await post("/v1/chat/completions", question)).headers.get("server-timing");
  expect(whole).toMatch(/^queue;dur=[\d.]+, load;dur=[\d.]+, prefill;dur=[\d.]+, decode;dur=[\d.]+$/u);
  const stream = await post("/v1/messages", { ...question, stream: true });
  expect(stream.headers.get("server-timing")).toMatch(/^queue;dur=[\d.]+, load;dur=[\d.]+, prefill;dur=[\d.]+$/u);
  await stream.body?.cancel();
});

describe("clients that leave", () => {
  const kinds: readonly (readonly [string, object])[] = [
    ["/v1/chat/completions", { ...question, ...neverEnding, stream: true }],
    ["/v1/chat/completions", { ...question, ...neverEnding }],
    ["/v1/messages", { ...question, max_tokens: 800, stream: true }],
    ["/v1/responses", { model: "bee-tiny", input: "Tell me a story about a bee", stream: true }],
    ["/v1/completions", { model: "bee-tiny", prompt: "The bee", max_tokens: 800, stream: true }],
    ["/v1/embeddings", { model: "bee-tiny", input: Array.from({ length: 40 }, (_, n) => `bee number ${n}`) }],
    ["/api/chat", { model: "bee-tiny", messages: question.messages }],
  ];

  it("at any moment leave neither a busy slot nor a place in the queue", async () => {
    await (await post("/v1/chat/completions", question)).text();
    let left = 0;
    // From before the first byte is sent to the middle of the answer.
    for (const delayMs of [0, 1, 3, 8, 20, 50, 120]) {
      await Promise.all(
        kinds.map(async ([path, body]) => {
          const leaving = new AbortController();
          const timer = setTimeout(() => {
            leaving.abort();
          }, delayMs);
          try {
            const answer = await post(path, body, {}, leaving.signal);
            await answer.text();
          } catch {
            left += 1;
          } finally {
            clearTimeout(timer);
          }
        }),
      );
    }
    expect(left).toBeGreaterThan(10);
    await waitFor(
      "a household without anything to do",
      async () => {
        const { hives, totals } = await household.fleet();
        const busy = hives.flatMap(({ workers }) => workers).reduce((sum, worker) => sum + (worker.slots_busy ?? 0), 0);
        return busy === 0 && totals.requests_running === 0 && totals.requests_waiting === 0;
      },
      { limitMs: 5_000 },
    );
    const { data, running } = await household.admin.queue({});
    expect([data, running]).toEqual([[], []]);
    expect((await post("/v1/chat/completions", question)).status).toBe(200);
  });
});
