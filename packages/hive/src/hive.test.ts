import { capabilitiesSchema, heartbeatSchema, hiveHealthSchema } from "@rbee/contract";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "./testing/eventually.ts";
import { FakeQueen } from "./testing/fake-queen.ts";
import { temporaryFolder } from "./testing/fixture.ts";
import { alive, hiveProcess, readyWorker } from "./testing/hive-process.ts";

const isHeartbeat = ({ path }: { path: string }) => path === "/v1/hive-heartbeat";

describe("a hive process", { timeout: 30_000 }, () => {
  it("tells what it is, reports to its queen, and leaves nothing when it is asked to end", async () => {
    const queen = await FakeQueen.start();
    const hive = hiveProcess({ args: ["--queen", queen.url, "--name", "attic"] });
    const client = await hive.client();
    hiveHealthSchema.parse(await client.health());
    const capabilities = capabilitiesSchema.parse(await client.capabilities());
    expect(capabilities).toMatchObject({ name: "attic", backends: ["cpu"] });
    expect(capabilities.models.map(({ id }) => id)).toContain("bee-tiny");
    await eventually("two heartbeats", () => queen.received.length >= 2);
    const heartbeat = heartbeatSchema.parse(queen.received[1]?.body);
    expect(heartbeat).toMatchObject({ hive_id: capabilities.hive_id, seq: 1, workers: [] });
    expect(heartbeat.capabilities_rev).toBe(capabilities.capabilities_rev);
    hive.child.kill("SIGTERM");
    expect(await hive.ended).toBe(0);
    expect(readdirSync(hive.home).sort()).toEqual(["hive.db", "hive.json", "logs", "models", "parked", "run"]);
    expect(readdirSync(join(hive.home, "run"))).toEqual([]);
  });

  it("leaves nothing when it is asked to end while it starts", async () => {
    const hive = hiveProcess();
    await eventually("its lock", () => existsSync(join(hive.home, "hive.lock")));
    hive.child.kill("SIGTERM");
    expect(await hive.ended).toBe(0);
    expect(existsSync(join(hive.home, "hive.lock"))).toBe(false);
  });

  it("joins with a join token, once, and then reports", async () => {
    const queen = await FakeQueen.start();
    queen.answer = {
      status: 201,
      body: { hive_id: "hive:00000000-0000-4000-8000-000000000000", name: "attic", ok: true },
    };
    const home = temporaryFolder();
    const args = ["--queen", queen.url, "--join-token", "one-time"];
    const first = hiveProcess({ home, args });
    await eventually("a heartbeat", () => queen.received.some(isHeartbeat), 10_000);
    expect(queen.received[0]?.path).toBe("/v1/hives/enroll");
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(0);
    queen.received.length = 0;
    hiveProcess({ home, args });
    await eventually("a heartbeat", () => queen.received.some(isHeartbeat), 10_000);
    expect(queen.received.filter((one) => !isHeartbeat(one))).toEqual([]);
  });

  it("says why and ends when its join token is refused", async () => {
    const queen = await FakeQueen.start();
    const message = "This join token has been used.";
    queen.answer = {
      status: 401,
      body: { error: { message, type: "x", param: null, code: "invalid_api_key", suggestion: "Make a new one." } },
    };
    const hive = hiveProcess({ args: ["--queen", queen.url, "--join-token", "used"] });
    expect(await hive.ended).toBe(1);
    expect(hive.output()).toContain(`rbee-hive: ${message} Make a new one.\n`);
    expect(readdirSync(hive.home)).not.toContain("hive.lock");
  });

  it("refuses in one line a folder that another hive uses, a port that is taken, and a wrong setting", async () => {
    const first = hiveProcess();
    await first.client();
    const second = hiveProcess({ home: first.home });
    expect([await second.ended, second.output()]).toEqual([
      1,
      `rbee-hive: A hive already uses ${first.home} (process ${first.child.pid}).\n`,
    ]);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      other.close();
    });
    const { port } = other.address() as AddressInfo;
    const third = hiveProcess({ args: ["--port", String(port)] });
    expect([await third.ended, third.output()]).toEqual([
      1,
      `rbee-hive: Port ${port} is taken by another program; choose one with --port or RBEE_HIVE_PORT.\n`,
    ]);
    const fourth = hiveProcess({ env: { RBEE_WORKER_SLOTS: "none" } });
    expect(await fourth.ended).toBe(2);
    expect(fourth.output()).toMatch(/^rbee-hive: RBEE_WORKER_SLOTS .*\n$/u);
  });

  it("that the queen started tells its port, writes nothing to the terminal, and ends with the queen", async () => {
    const hive = hiveProcess({ parent: true, simpleWorkers: "good" });
    const { pid } = await readyWorker(await hive.client());
    hive.child.disconnect();
    expect(await hive.ended).toBe(0);
    expect(alive(pid)).toBe(false);
    expect(hive.output()).toBe("");
    expect(readFileSync(join(hive.home, "logs", "hive.log"), "utf8")).toContain("bee-tiny is loaded");
  });

  it("leaves no worker behind when it is killed", async () => {
    const hive = hiveProcess({ simpleWorkers: "good" });
    const { pid } = await readyWorker(await hive.client());
    hive.child.kill("SIGKILL");
    await eventually("the worker is gone", () => !alive(pid), 2_000);
  });

  it("ends at its next start a worker that outlived it", async () => {
    const hive = hiveProcess({ simpleWorkers: "stubborn" });
    const { pid } = await readyWorker(await hive.client());
    hive.child.kill("SIGKILL");
    await hive.ended;
    expect(alive(pid)).toBe(true);
    const next = hiveProcess({ home: hive.home });
    await next.client();
    await eventually("the worker is gone", () => !alive(pid));
    expect(next.output()).toContain("an earlier hive left behind");
  });
});

describe("a hive with the real worker", { timeout: 60_000 }, () => {
  it("answers a chat with the demo model, whole and as a stream, and leaves no worker behind when it is killed", async () => {
    const hive = hiveProcess();
    const client = await hive.client();
    const { id, pid } = await readyWorker(client);
    const body = {
      model: "bee-tiny",
      messages: [{ role: "user" as const, content: "hello" }],
      max_tokens: 8,
      temperature: 0,
    };
    const whole = await client.chat({ params: { id }, body });
    expect(whole.choices[0]?.message.content).not.toBe("");
    const stream = await client.raw.chat({ params: { id }, body: { ...body, stream: true } });
    const text = await stream.text();
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    const said = [...text.matchAll(/"content":"((?:[^"\\]|\\.)*)"/gu)].map(([, part]) => part).join("");
    expect(said).toBe(whole.choices[0]?.message.content);
    hive.child.kill("SIGKILL");
    await eventually("the worker is gone", () => !alive(pid), 2_000);
  });
});
