import { errorBodySchema, hiveEndpoints, type Endpoint } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { createApp } from "./app.ts";
import { TokenGate } from "./authentication.ts";
import { smallHive, token } from "../testing/small-hive.ts";

const endpoints: [string, Endpoint][] = Object.entries(hiveEndpoints);
const pathOf = (endpoint: Endpoint) => endpoint.path.replace(/\{\w+\}/gu, "worker:1");

async function errorOf(response: Response) {
  const { error } = errorBodySchema.parse(await response.json());
  return { status: response.status, code: error.code };
}

describe("who may call a hive", () => {
  it.each(endpoints.filter(([, { owner }]) => owner !== "public"))(
    "a stranger who calls %s gets 401, with no token and with a wrong one",
    async (_, endpoint) => {
      const { url } = await smallHive();
      const call = (headers: Record<string, string>) =>
        fetch(`${url}${pathOf(endpoint)}`, {
          method: endpoint.method,
          headers,
          ...(endpoint.body === undefined ? {} : { body: "{}" }),
        }).then(errorOf);
      expect(await call({})).toEqual({ status: 401, code: "missing_api_key" });
      expect(await call({ authorization: "Basic YTpi" })).toEqual({ status: 401, code: "missing_api_key" });
      expect(await call({ authorization: `Bearer ${"b".repeat(43)}` })).toEqual({
        status: 401,
        code: "invalid_api_key",
      });
      expect(await call({ authorization: `Bearer ${token}b` })).toEqual({ status: 401, code: "invalid_api_key" });
    },
  );

  it("everybody may ask for its health, and for nothing else", async () => {
    const { url } = await smallHive();
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(endpoints.filter(([, { owner }]) => owner === "public").map(([name]) => name)).toEqual(["health"]);
  });

  it("a hive cannot be stolen: only its token changes the queen it reports to", async () => {
    const { url, named, client } = await smallHive();
    const theft = `${url}/capabilities?queen_url=${encodeURIComponent("http://thief:7833")}`;
    await fetch(theft);
    await fetch(theft, { headers: { authorization: `Bearer ${"b".repeat(43)}` } });
    await fetch(theft, { method: "POST", headers: { authorization: `Bearer ${token}` } });
    expect(named).toEqual([]);
    await client.raw.capabilities({ query: { queen_url: "http://queen:7833/" } });
    expect(named).toEqual(["http://queen:7833"]);
  });

  it("the token is compared, not its beginning", () => {
    const gate = new TokenGate(token);
    expect(() => {
      gate.check(`Bearer ${token}`);
    }).not.toThrow();
    expect(() => {
      gate.check(`Bearer ${token.slice(0, -1)}`);
    }).toThrow();
  });
});

describe("the routes of a hive", () => {
  it("are exactly the contract's endpoints; what lies under a worker's /v1 is the relay's", async () => {
    const { workers } = await smallHive();
    const unused = () => {
      throw new Error("not called");
    };
    const app = createApp({
      hiveId: "hive:x",
      gate: new TokenGate(token),
      workers,
      log: { error: unused } as never,
      capabilities: unused,
      models: {} as never,
      jobs: {} as never,
      loans: {} as never,
      logPath: "",
      reportTo: unused,
    });
    const served = app.routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/gu, "{$1}")}`);
    const relayed = endpoints.filter(([, { path }]) => path.startsWith("/v1/workers/{id}/v1/"));
    const promised = endpoints
      .filter((entry) => !relayed.includes(entry))
      .map(([, { method, path }]) => `${method} ${path}`);
    expect(served.sort()).toEqual(promised.sort());
    expect(relayed.map(([name]) => name)).toEqual(["chat"]);
  });
});

describe("what a hive answers", () => {
  it("is JSON in the one error shape for an unknown address and a wrong method", async () => {
    const { url } = await smallHive();
    expect(await errorOf(await fetch(`${url}/v1/nothing`))).toEqual({ status: 404, code: "not_found" });
    const wrong = await fetch(`${url}/v1/workers`, { method: "PATCH" });
    expect(wrong.headers.get("allow")).toBe("GET, POST");
    expect(await errorOf(wrong)).toEqual({ status: 405, code: "method_not_allowed" });
  });

  it("names the field that is wrong", async () => {
    const { client, url } = await smallHive();
    const authorization = `Bearer ${token}`;
    await expect(client.capabilities({ query: { queen_url: "file:///etc/passwd" } })).rejects.toMatchObject({
      code: "invalid_request",
      param: "queen_url",
    });
    const spawn = (body: string) => fetch(`${url}/v1/workers`, { method: "POST", headers: { authorization }, body });
    expect(await errorOf(await spawn("{"))).toEqual({ status: 400, code: "invalid_request" });
    expect(await errorOf(await spawn('{"model":"../../etc"}'))).toEqual({ status: 400, code: "invalid_request" });
    expect(await errorOf(await spawn('{"model":"m","colour":1}'))).toEqual({ status: 400, code: "invalid_request" });
    expect(await errorOf(await spawn(" ".repeat(70_000)))).toEqual({ status: 413, code: "payload_too_large" });
    await expect(client.getWorker({ params: { id: "worker:none" } })).rejects.toMatchObject({
      code: "worker_not_found",
    });
    await expect(client.getWorker({ params: { id: "../x" } })).rejects.toMatchObject({ code: "worker_not_found" });
  });

  it("leaks neither stack nor path when something breaks inside", async () => {
    const { client, supervisor, lines } = await smallHive();
    Object.defineProperty(supervisor, "list", {
      value: () => {
        throw new Error("/secret/path broke");
      },
    });
    const failure = await client.listWorkers().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "internal_error" });
    expect(JSON.stringify(failure)).not.toContain("secret");
    expect(lines.at(-1)?.msg).toBe("A request failed.");
  });

  it("waits for a worker as long as it is asked to, and no longer", async () => {
    const { client } = await smallHive("never ready");
    const { worker_id } = await client.spawnWorker({ body: { model: "bee-tiny" } });
    const before = performance.now();
    const worker = await client.getWorker({ params: { id: worker_id }, query: { wait_ms: 150 } });
    expect(performance.now() - before).toBeGreaterThanOrEqual(145);
    expect(["starting", "loading"]).toContain(worker.state);
  });
});
