import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { llamaServerPath } from "../../../../../tests/support/llama.ts";
import { processStartedAt } from "../../hardware/processes.ts";
import { eventually } from "../../testing/eventually.ts";
import { fakeTool, temporaryFolder } from "../../testing/fixture.ts";
import { alive, hiveProcess } from "../../testing/hive-process.ts";
import { smallHive, token, type SmallHive } from "../../testing/small-hive.ts";
import { LlamaServer } from "./llama-server.ts";

/** A cache in which nothing was built. */
const nothing = "/nonexistent";

const fingerprintOf = (setting: string, limitMs?: number) =>
  new LlamaServer({ setting, cache: nothing }, limitMs).fingerprint();

const healthy = `case "$1" in
  --version) echo 'version: 4711 (abc)' ;;
  --help) echo '-np, --parallel N' ;;
  --list-devices) printf 'Available devices:\\n  CUDA0: a card (24000 MiB, 23000 MiB free)\\n' ;;
esac`;

describe("looking for llama-server", () => {
  it("finds one with its version and what it computes with", async () => {
    const path = fakeTool(healthy);
    expect(await fingerprintOf(path)).toEqual({
      usable: true,
      version: "4711 (abc)",
      where: path,
      backends: ["cpu", "cuda"],
    });
  });

  it("does not wait for a program that hangs", async () => {
    const found = await fingerprintOf(fakeTool("exec sleep 60"), 200);
    expect(found).toMatchObject({ usable: false, reason: expect.stringContaining("gave no answer within 0.2 s") });
  });

  it("takes no other program for one", async () => {
    expect(await fingerprintOf(fakeTool("echo hello"))).toMatchObject({
      usable: false,
      reason: expect.stringContaining("does not answer as llama-server does"),
    });
    expect(await fingerprintOf(fakeTool("echo 'version: 1'"))).toMatchObject({
      usable: false,
      reason: expect.stringContaining("another program of llama.cpp"),
    });
  });

  it("says why one that is there cannot be run", async () => {
    const reasonOf = async (path: string) => {
      const found = await fingerprintOf(path);
      return found.usable ? "usable" : found.reason;
    };
    const garbage = join(temporaryFolder(), "llama-server");
    writeFileSync(garbage, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 2, 3]), { mode: 0o755 });
    expect(await reasonOf(garbage)).toMatch(/cannot be run|failed/u);
    const plain = join(temporaryFolder(), "llama-server");
    writeFileSync(plain, "text", { mode: 0o644 });
    expect(await reasonOf(plain)).toContain("not executable");
    expect(await reasonOf("/nonexistent/llama-server")).toContain("there is no");
    expect(await reasonOf(fakeTool("echo broken >&2; exit 3"))).toContain("exit code 3");
  });

  it("runs a program again only when its file has changed", async () => {
    const path = fakeTool(`echo run >> "$0.log"\n${healthy}`);
    const engine = new LlamaServer({ setting: path, cache: nothing });
    const runs = async () => {
      await engine.fingerprint();
      return readFileSync(`${path}.log`, "utf8").trim().split("\n").length;
    };
    expect(await runs()).toBe(3);
    expect(await runs()).toBe(3);
    writeFileSync(path, `#!/bin/sh\necho run >> "$0.log"\nexit 1 # broken by an update\n`);
    expect(await runs()).toBe(4);
  });

  it("is refused by a hive that has none, with the reason, before any process exists", async () => {
    const hive = await smallHive("good", { engines: [new LlamaServer({ setting: "/none", cache: nothing })] });
    await expect(
      hive.client.spawnWorker({ body: { model: "bee-tiny", engine: "llama-server" } }),
    ).rejects.toMatchObject({
      code: "backend_unavailable",
      message: "This hive cannot use the engine llama-server: there is no /none.",
      param: "engine",
    });
    expect(hive.supervisor.list()).toEqual([]);
  });
});

const question = { messages: [{ role: "user" as const, content: "Hello!" }], temperature: 0, max_tokens: 24 };

async function ask(url: string, id: string, body: object = question, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/workers/${id}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

describe.skipIf(llamaServerPath === null)("a worker on llama-server", { timeout: 30_000 }, () => {
  const setting = llamaServerPath ?? "";
  const withLlama = () => smallHive("good", { engines: [new LlamaServer({ setting, cache: nothing })] });

  async function ready({ client }: SmallHive, body: object = {}): Promise<Worker> {
    const { worker_id } = await client.spawnWorker({ body: { model: "bee-tiny", engine: "llama-server", ...body } });
    const worker = await client.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
    expect(worker.error).toBeNull();
    return worker;
  }

  it("serves over a socket of its own, is told its context and slots, and names itself", async () => {
    const hive = await withLlama();
    const worker = await ready(hive, { slots: 3, context_length: 512 });
    expect(worker).toMatchObject({ state: "ready", engine: "llama-server", slots_total: 3, context_length: 512 });
    expect(alive(worker.pid ?? 0)).toBe(true);
    const answer = (await (await ask(hive.url, worker.worker_id)).json()) as { model: string };
    expect(answer.model).toBe("bee-tiny");
    expect(await hive.client.workerHealth({ params: { id: worker.worker_id } })).toMatchObject({ problem: null });
    const tokens = await fetch(`${hive.url}/v1/workers/${worker.worker_id}/v1/tokenize`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ content: "hello" }),
    });
    expect(((await tokens.json()) as { tokens: number[] }).tokens.length).toBeGreaterThan(0);
  });

  it("never gets more context than its model was trained for, unless that is asked for", async () => {
    const hive = await withLlama();
    const { context_length } = await ready(hive, { context_length: 100_000, slots: 1 });
    expect(context_length).toBeLessThan(10_000);
    const extended = await ready(hive, { context_length: 4_096, extend_context: true, slots: 1 });
    expect(extended.context_length).toBe(4_096);
  });

  it("tells how many it answers, and is idle again after that", async () => {
    const hive = await withLlama();
    const { worker_id } = await ready(hive, { slots: 1 });
    const leaving = new AbortController();
    const long = { ...question, max_tokens: 2_000, ignore_eos: true, stream: true };
    const answers = [1, 2].map(() => ask(hive.url, worker_id, long, leaving.signal).catch(() => null));
    await eventually("busy, and one waits", () => {
      const { state, queued } = hive.supervisor.get(worker_id).snapshot();
      return state === "busy" && queued === 1;
    });
    await eventually("its speed", () => (hive.supervisor.get(worker_id).facts().tokens_per_s ?? 0) > 0);
    leaving.abort();
    await Promise.all(answers);
    await eventually("idle", () => hive.supervisor.get(worker_id).state === "ready");
  });

  it("finishes what it answers before it is stopped", async () => {
    const hive = await withLlama();
    const { worker_id, pid } = await ready(hive);
    const answer = await ask(hive.url, worker_id, { ...question, max_tokens: 200, ignore_eos: true, stream: true });
    const stopped = hive.client.stopWorker({ params: { id: worker_id } });
    expect(await answer.text()).toContain("data: [DONE]");
    await stopped;
    expect(hive.supervisor.get(worker_id).state).toBe("stopped");
    expect(alive(pid ?? 0)).toBe(false);
    expect(readdirSync(join(hive.home, "run"))).toEqual([]);
  });

  it("that dies is noticed within a second, ends its streams with the error, and is started again", async () => {
    const hive = await withLlama();
    const { worker_id, pid } = await ready(hive);
    const answer = await ask(hive.url, worker_id, { ...question, max_tokens: 3_000, ignore_eos: true, stream: true });
    process.kill(pid ?? 0, "SIGKILL");
    await eventually("noticed", () => hive.supervisor.get(worker_id).state === "starting", 1_000);
    expect(await answer.text()).toContain('"worker_crashed"');
    const again = await hive.client.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
    expect(again).toMatchObject({ state: "ready", restarts: 1 });
  });

  it("of a version without sockets listens on loopback, for who has the key alone, and the key is on no command line", async () => {
    const old = fakeTool(
      `case "$1" in --help) '${setting}' --help | sed 's/\\.sock//g' ;; *) exec '${setting}' "$@" ;; esac`,
    );
    const hive = await smallHive("good", { engines: [new LlamaServer({ setting: old, cache: nothing })] });
    const { worker_id, pid } = await ready(hive);
    expect((await ask(hive.url, worker_id)).status).toBe(200);
    const log = readFileSync(hive.supervisor.logPath(worker_id), "utf8");
    const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/u.exec(log)?.[1] ?? "";
    const stranger = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(question),
    });
    expect(stranger.status).toBe(401);
    if (process.platform !== "linux") return;
    expect(readFileSync(`/proc/${pid ?? 0}/cmdline`, "utf8")).not.toContain("key");
  });

  it("that cannot load its model fails with its last words", async () => {
    const home = temporaryFolder();
    const broken = fakeTool(`case "$1" in --version|--help|--list-devices) exec '${setting}' "$@" ;; esac
echo 'no such architecture' >&2; exit 1`);
    const hive = await smallHive("good", { home, engines: [new LlamaServer({ setting: broken, cache: nothing })] });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny", engine: "llama-server" } });
    const worker = await hive.client.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
    expect(worker).toMatchObject({ state: "failed", error: { code: "worker_spawn_failed" } });
    expect(worker.error?.message).toMatch(/exit code 1.*no such architecture/u);
  });

  it("answers at temperature 0 what our own worker answers, and ends with its hive, however that ends", async () => {
    const hive = hiveProcess({ env: { RBEE_LLAMA_SERVER: setting, RBEE_WORKER_THREADS: "1" } });
    const client = await hive.client();
    const [facts] = (await client.capabilities()).engine_facts.filter(({ engine }) => engine === "llama-server");
    expect(facts).toMatchObject({ problem: null, where: setting });
    const texts: string[] = [];
    const pids: number[] = [];
    for (const engine of ["node-llama-cpp", "llama-server"] as const) {
      const { worker_id } = await client.spawnWorker({ body: { model: "bee-tiny", engine } });
      const worker = await client.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
      pids.push(worker.pid ?? 0);
      const answer = await client.raw.chat({ params: { id: worker_id }, body: { model: "bee-tiny", ...question } });
      const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
      texts.push(choices[0]?.message.content ?? "");
    }
    expect(texts[1]).toBe(texts[0]);
    expect(texts[0]?.length).toBeGreaterThan(10);
    hive.child.kill("SIGKILL");
    for (const pid of pids) await eventually(`${pid} is gone`, () => processStartedAt(pid) === null, 2_000);
  });
});
