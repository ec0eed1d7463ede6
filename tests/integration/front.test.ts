import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { longChat } from "../support/chat-stream.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { signIn } from "../support/people.ts";
import { waitFor } from "../support/wait-for.ts";

const path = "/v1/chat/completions";
const chat = { model: "bee-tiny", temperature: 0, max_tokens: 4, messages: [{ role: "user", content: "Hello" }] };

let household: Household;
let key: string;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  key = await household.key();
});
afterAll(() => household.stop());

interface Seen {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** What a client sees, without what differs from request to request. */
async function post(address: string, headers: Record<string, string>, body: BodyInit): Promise<Seen> {
  const response = await fetch(`${household.url}${address}`, { method: "POST", headers, body });
  const text = (await response.text())
    .replaceAll(/"id":"[^"]+"|"created":\d+/gu, "")
    .replaceAll(/"timings":\{[^}]+\}|"cached_tokens":\d+/gu, "");
  const seen = Object.fromEntries(response.headers);
  expect(seen["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/u);
  for (const name of [
    "date",
    "x-request-id",
    "server-timing",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "connection",
  ])
    Reflect.deleteProperty(seen, name);
  return { status: response.status, headers: seen, body: text };
}

/** A query makes no difference to the answer, and sends the request the long way through SvelteKit. */
const bothWays = async (headers: Record<string, string>, body: BodyInit = JSON.stringify(chat)) =>
  [await post(path, headers, body), await post(`${path}?long-way`, headers, body)] as const;

const errorOf = ({ status, body }: Seen) => [
  status,
  (JSON.parse(body) as { error: { code: string; param: string | null } }).error.code,
];

describe("a chat with a key is answered in front of SvelteKit, and a client sees no difference", () => {
  const authorization = () => ({ authorization: `Bearer ${key}` });
  const json = { "content-type": "application/json" };

  it.each<[string, () => Record<string, string>, BodyInit, number, string]>([
    ["a wrong key", () => ({ authorization: "Bearer rbee_wrong" }), "{}", 401, "invalid_api_key"],
    ["a wrong key in x-api-key", () => ({ "x-api-key": "rbee_wrong" }), "{}", 401, "invalid_api_key"],
    ["another scheme", () => ({ authorization: "Basic YTpi" }), "{}", 401, "invalid_api_key"],
    [
      "a stranger's nonsense, which is not even read",
      () => ({ authorization: "Bearer x" }),
      "{",
      401,
      "invalid_api_key",
    ],
    ["malformed JSON", authorization, '{"model":', 400, "invalid_request"],
    ["no body", authorization, "", 400, "invalid_request"],
    ["JSON that is no chat", authorization, "[1]", 400, "invalid_request"],
    ["an unknown field", authorization, JSON.stringify({ ...chat, colour: 1 }), 400, "invalid_request"],
    ["an unknown model", authorization, JSON.stringify({ ...chat, model: "wasp" }), 404, "model_not_found"],
  ])("%s", async (_, headers, body, status, code) => {
    const [front, long] = await bothWays({ ...json, ...headers() }, body);
    expect(errorOf(front)).toEqual([status, code]);
    expect(front).toEqual(long);
  });

  it("whole, streamed, by either header, and with a content type that is wrong", async () => {
    const streamed = JSON.stringify({ ...chat, stream: true });
    for (const [headers, body] of [
      [{ ...json, ...authorization() }, JSON.stringify(chat)],
      [{ ...json, ...authorization() }, streamed],
      [{ ...json, "x-api-key": key }, streamed],
      [{ "content-type": "text/plain", ...authorization() }, JSON.stringify(chat)],
      [{ "content-type": "application/x-www-form-urlencoded", ...authorization() }, JSON.stringify(chat)],
    ] as const) {
      const [front, long] = await bothWays(headers, body);
      expect(front.status).toBe(200);
      expect(front).toEqual(long);
    }
  });

  it("a byte order mark before the JSON", async () => {
    const [front, long] = await bothWays({ ...json, ...authorization() }, `\uFEFF${JSON.stringify(chat)}`);
    expect(front.status).toBe(long.status);
  });

  it("a body larger than the server takes is refused before it is sent", async () => {
    const refused = await Promise.all(
      [path, `${path}?long-way`].map(
        (address) =>
          new Promise<[number | undefined, unknown]>((resolve, reject) => {
            const request = httpRequest(`${household.url}${address}`, {
              method: "POST",
              headers: { ...json, ...authorization(), "content-length": 65 * 1024 * 1024 },
            });
            request.on("error", reject).on("response", (response) => {
              let text = "";
              response.setEncoding("utf8").on("data", (part: string) => {
                text += part;
              });
              response.on("end", () => {
                resolve([response.statusCode, JSON.parse(text)]);
                request.destroy();
              });
            });
            request.flushHeaders();
          }),
      ),
    );
    expect(refused[0]).toMatchObject([413, { error: { code: "payload_too_large" } }]);
    expect(refused[0]).toEqual(refused[1]);
  });
});

describe("what the way in front of SvelteKit must not open", () => {
  const ask = (headers: Record<string, string>) =>
    fetch(`${household.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(chat),
    });

  it("a session cookie counts for the dashboard's own page only", async () => {
    const cookie = await signIn(household);
    expect((await ask({ cookie, origin: household.url })).status).toBe(200);
    expect((await ask({ cookie, origin: "http://evil.example" })).status).toBe(403);
    expect((await ask({ cookie })).status).toBe(403);
    // A wrong key is not made good by a cookie.
    expect((await ask({ cookie, origin: household.url, authorization: "Bearer rbee_wrong" })).status).toBe(401);
    expect((await ask({})).status).toBe(401);
  });

  it("other methods are refused as before", async () => {
    const response = await fetch(`${household.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  it("a key that worked a moment ago does not once it is revoked", async () => {
    const made = await household.admin.createKey({ body: { name: "short-lived" } });
    const headers = { authorization: `Bearer ${made.key}` };
    expect((await ask(headers)).status).toBe(200);
    await household.admin.revokeKey({ params: { id: made.id } });
    expect((await ask(headers)).status).toBe(401);
  });

  it("a proxy on this machine does not lend its being local", async () => {
    const localToken = readFileSync(join(household.home, "local-token"), "utf8").trim();
    const headers = { authorization: `Bearer ${localToken}` };
    expect((await ask(headers)).status).toBe(200);
    expect((await ask({ ...headers, "x-forwarded-for": "192.168.1.20" })).status).toBe(401);
  });
});

it("a client that leaves in the middle of a stream frees its slot", async () => {
  const leaving = new AbortController();
  const events = await longChat(household.client(key), leaving.signal);
  await events.next();
  const { totals } = await household.fleet();
  expect(totals.requests_running).toBe(1);
  leaving.abort();
  await waitFor("the slot", async () => (await household.fleet()).totals.requests_running === 0);
  await waitFor("the worker to be idle", async () =>
    (await household.fleet()).hives.every((hive) => hive.workers.every((worker) => worker.slots_busy === 0)),
  );
});
