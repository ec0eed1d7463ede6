import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { nodeLlamaCpp } from "../engines/node-llama-cpp.ts";
import { eventually } from "../testing/eventually.ts";
import { simpleWorker } from "../testing/simple-worker-path.ts";
import { smallHive, token, type SmallHive, type SmallHiveOptions } from "../testing/small-hive.ts";

const authorization = `Bearer ${token}`;

async function readyWorker(
  options: SmallHiveOptions = {},
): Promise<{ hive: SmallHive; id: string; address: string; pid: number }> {
  const hive = await smallHive("good", options);
  const { worker_id, pid } = await hive.spawn();
  const address = `${hive.url}/v1/workers/${encodeURIComponent(worker_id)}/v1/chat/completions`;
  return { hive, id: worker_id, address, pid: pid ?? 0 };
}

const ask = (address: string, wish: string, init: RequestInit = {}) =>
  fetch(address, { method: "POST", headers: { authorization, "x-wish": wish }, body: "{}", ...init });

interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

describe("the relay", () => {
  it("passes method, path, query, headers and body on, and status and headers back, but not the hive's token", async () => {
    const { address } = await readyWorker();
    const body = "é".repeat(200_000);
    const response = await fetch(`${address}?a=1&b=%20`, {
      method: "PUT",
      headers: { authorization, "x-wish": "echo", "x-request-id": "req-7", "proxy-authorization": "Basic x" },
      body,
    });
    expect(response.status).toBe(207);
    expect(response.headers.get("x-request-id")).toBe("req-7");
    expect(response.headers.get("content-type")).toBe("application/json");
    const echo = (await response.json()) as Echo;
    expect([echo.method, echo.url, echo.headers["x-request-id"]]).toEqual([
      "PUT",
      "/v1/chat/completions?a=1&b=%20",
      "req-7",
    ]);
    expect(echo.body).toBe(body);
    expect(JSON.stringify(echo.headers)).not.toContain(token);
    expect(echo.headers).not.toHaveProperty("proxy-authorization");
  });

  it("passes the key for parked conversations on to our own workers while any are kept, and to nobody else", async () => {
    const keyOf = async (address: string) => {
      const headers = { authorization, "x-wish": "echo", "X-Rbee-Parking-Key": "secret" };
      const echo = (await (await fetch(address, { method: "POST", headers, body: "{}" })).json()) as Echo;
      return echo.headers["x-rbee-parking-key"];
    };
    const foreign = { ...nodeLlamaCpp([process.execPath, simpleWorker, "good"]), name: "llama-server" as const };
    const keeping = await readyWorker({ keepsConversations: true, engines: [foreign] });
    expect(await keyOf(keeping.address)).toBe("secret");
    const { worker_id: id } = await keeping.hive.client.spawnWorker({
      body: { model: "bee-tiny", engine: "llama-server" },
    });
    await keeping.hive.client.getWorker({ params: { id }, query: { wait_ms: 10_000 } });
    expect(await keyOf(`${keeping.hive.url}/v1/workers/${id}/v1/chat/completions`)).toBeUndefined();
    expect(await keyOf((await readyWorker()).address)).toBeUndefined();
  });

  it("takes an id with its colon as it is, and a request without a body", async () => {
    const { hive, id } = await readyWorker();
    const response = await fetch(`${hive.url}/v1/workers/${id}/v1/models`, {
      headers: { authorization, "x-wish": "echo" },
    });
    expect(((await response.json()) as Echo).url).toBe("/v1/models");
  });

  it("hands a stream on byte by byte", async () => {
    const { address } = await readyWorker();
    const response = await ask(address, "");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe('data: {"text":"first"}\n\ndata: {"text":"second"}\n\ndata: [DONE]\n\n');
  });

  it("does not hold back what a stream has sent so far", async () => {
    const { address } = await readyWorker();
    const response = await ask(address, "hold");
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe('data: {"text":"first"}\n\n');
  });

  it("tells the worker at once when the client leaves", async () => {
    const { hive, id, address } = await readyWorker();
    const client = new AbortController();
    await ask(address, "hold", { signal: client.signal });
    await eventually("busy", () => hive.supervisor.get(id).state === "busy");
    client.abort();
    await eventually("free again", () => hive.supervisor.get(id).state === "ready", 1_000);
  });

  it("tells the worker when the client leaves in the middle of its own request", async () => {
    const { hive, id, address } = await readyWorker();
    const { hostname, port, pathname } = new URL(address);
    const headers = { authorization, "content-length": 100 };
    const request = httpRequest({ hostname, port, path: pathname, method: "POST", headers });
    request.on("error", () => {});
    request.write("{");
    await new Promise((resolve) => setTimeout(resolve, 30));
    request.destroy();
    expect((await ask(address, "echo")).status).toBe(207);
    expect(hive.supervisor.get(id).state).toBe("ready");
  });
});

describe("a worker that dies", () => {
  it("in the middle of a stream ends it with an error event and without [DONE]", async () => {
    const { address } = await readyWorker();
    const text = await (await ask(address, "die in stream")).text();
    const [first, last] = text.split("\n\n").filter((part) => part.trim() !== "");
    expect(first).toBe('data: {"text":"first"}');
    expect(JSON.parse(last?.trim().slice("data: ".length) ?? "")).toMatchObject({ error: { code: "worker_crashed" } });
    expect(text).not.toContain("[DONE]");
  });

  it("before its answer began is a 500 worker_crashed", async () => {
    const { address } = await readyWorker();
    const response = await ask(address, "die before headers");
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { code: "worker_crashed" } });
  });

  it("in the middle of a whole answer cuts it off, so that nobody takes the half for all", async () => {
    const { address } = await readyWorker();
    await expect(ask(address, "die in json").then((response) => response.text())).rejects.toThrow();
  });
});

describe("a worker that cannot answer", () => {
  it("is 503 model_loading with Retry-After while it loads", async () => {
    const hive = await smallHive("never ready");
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    const response = await ask(`${hive.url}/v1/workers/${worker_id}/v1/chat/completions`, "");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await response.json()).toMatchObject({ error: { code: "model_loading" } });
  });

  it("is its own error when it has failed, and 404 when it never was", async () => {
    const hive = await smallHive("refuses");
    const { worker_id } = await hive.spawn();
    const failed = await ask(`${hive.url}/v1/workers/${worker_id}/v1/chat/completions`, "");
    expect(await failed.json()).toMatchObject({ error: { message: "The model is of an unknown kind." } });
    for (const id of ["worker:none", "%E0%A4%A"]) {
      const unknown = await ask(`${hive.url}/v1/workers/${id}/v1/chat/completions`, "");
      expect(unknown.status).toBe(404);
      expect(await unknown.json()).toMatchObject({ error: { code: "worker_not_found" } });
    }
  });
});
