import { readdirSync } from "node:fs";
import { join } from "node:path";
import { hiveEndpoints, queenEndpoints, type Endpoint, type ErrorBody } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { invitedMember } from "../support/people.ts";
import { projectRoot } from "../support/process.ts";

let household: Household;
let hive: TestHive;
let memberKey: string;

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  hive = await startHive("lonely");
  memberKey = (await invitedMember(household, "Grace")).key;
});
afterAll(async () => {
  await hive.stop();
  await household.stop();
});

interface Answer {
  status: number;
  code: string;
}

async function call(base: string, endpoint: Endpoint, headers: Record<string, string>): Promise<Answer> {
  const path = endpoint.path.replace(/\{\w+\}/gu, "x");
  const body = endpoint.method === "POST" || endpoint.method === "PATCH" ? "{}" : undefined;
  const response = await fetch(`${base}${path}`, {
    method: endpoint.method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body }),
  });
  // Ollama's errors are text, with the code beside it.
  const told = (await response.json()) as ErrorBody | { error: string; code: string };
  return { status: response.status, code: "code" in told ? told.code : told.error.code };
}

const strangerTo = (endpoints: Record<string, Endpoint>) =>
  Object.entries(endpoints).filter(([, { owner }]) => owner !== "public");

describe("a stranger at the queen", () => {
  const guarded = strangerTo(queenEndpoints).filter(([, { owner }]) => owner !== "join_token");

  it.each(guarded)("%s without credentials is 401", async (_, endpoint) => {
    expect(await call(household.url, endpoint, {})).toEqual({ status: 401, code: "missing_api_key" });
  });

  it.each(guarded)("%s with a made-up key is 401", async (_, endpoint) => {
    const wrong = await call(household.url, endpoint, { authorization: `Bearer rbee_${"x".repeat(43)}` });
    // A heartbeat must name an enrolled hive before its token can be compared: a malformed body is refused first.
    expect([401, ...(endpoint.owner === "hive" ? [400] : [])]).toContain(wrong.status);
  });

  it.each(guarded)("%s with a made-up session cookie is 401", async (_, endpoint) => {
    const answer = await call(household.url, endpoint, {
      cookie: `rbee_session=${"a".repeat(40)}`,
      origin: household.url,
    });
    expect(answer.status).toBe(401);
  });

  it("a made-up join token is refused", async () => {
    const { hive_id, hive_token } = hive.identity();
    const enroll = household.client().enrollHive({
      body: { join_token: "made-up", hive_id, hive_token, name: "thief", version: "0", api_version: "v1", port: 1 },
    });
    await expect(enroll).rejects.toMatchObject({ code: "invalid_api_key", status: 401 });
    expect((await household.fleet()).hives).toEqual([]);
  });
});

describe("a member at the queen", () => {
  const administrative = Object.entries(queenEndpoints as Record<string, Endpoint>).filter(
    ([, { owner }]) => owner === "admin",
  );

  it.each(administrative)("%s is 403", async (_, endpoint) => {
    expect(await call(household.url, endpoint, { authorization: `Bearer ${memberKey}` })).toEqual({
      status: 403,
      code: "forbidden",
    });
  });
});

describe("a stranger at a hive", () => {
  const guarded = strangerTo(hiveEndpoints);

  it.each(guarded)("%s without credentials is 401", async (_, endpoint) => {
    expect(await call(hive.url, endpoint, {})).toEqual({ status: 401, code: "missing_api_key" });
  });

  it.each(guarded)("%s with a made-up token is 401", async (_, endpoint) => {
    expect(await call(hive.url, endpoint, { authorization: `Bearer ${"x".repeat(43)}` })).toEqual({
      status: 401,
      code: "invalid_api_key",
    });
  });
});

describe("pages", () => {
  /** Pages that have to open for people without an account. */
  const open = new Set(["/login", "/setup", "/invite/[code]"]);

  const pages = (readdirSync(join(projectRoot, "src/routes"), { recursive: true }) as string[])
    .filter((file) => file.endsWith("+page.svelte"))
    .map((file) => `/${file.replace(/\(\w+\)\//gu, "").replace(/\/?\+page\.svelte$/u, "")}`);

  it("there are pages to check", () => {
    expect(pages.length).toBeGreaterThan(5);
  });

  it.each(pages.filter((page) => !open.has(page)))("%s sends a stranger to the sign-in page", async (page) => {
    const response = await fetch(`${household.url}${page.replace(/\[\w+\]/gu, "x")}`, {
      redirect: "manual",
      headers: { accept: "text/html" },
    });
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toMatch(/^\/login\b/u);
  });

  it.each(pages.filter((page) => !open.has(page)))(
    "a form posted to %s by a stranger changes nothing",
    async (page) => {
      const response = await fetch(`${household.url}${page.replace(/\[\w+\]/gu, "x")}`, {
        method: "POST",
        redirect: "manual",
        headers: {
          origin: household.url,
          accept: "text/html",
          "content-type": "application/x-www-form-urlencoded",
        },
        body: "name=x",
      });
      expect([303, 401, 403, 405]).toContain(response.status);
      if (response.status === 303) expect(response.headers.get("location")).toMatch(/^\/login\b/u);
    },
  );
});

describe("unknown addresses", () => {
  it.each(["/v1/nothing", "/v2/nothing", "/health/nothing", "/v1/chat/completions/nothing"])(
    "%s is a JSON 404",
    async (path) => {
      const response = await fetch(`${household.url}${path}`, { headers: { authorization: `Bearer ${memberKey}` } });
      expect([response.status, ((await response.json()) as ErrorBody).error.code]).toEqual([404, "not_found"]);
    },
  );

  it("a wrong method is a JSON 405 that says which is right", async () => {
    const response = await fetch(`${household.url}/v1/models`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${memberKey}` },
    });
    expect([response.status, ((await response.json()) as ErrorBody).error.code]).toEqual([405, "method_not_allowed"]);
    expect(response.headers.get("allow")).toContain("GET");
  });
});
