import { existsSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { all, readyWorker, startWorker, until, type TestWorker } from "../test/worker-process.ts";

const workers: TestWorker[] = [];
const track = (worker: TestWorker) => {
  workers.push(worker);
  return worker;
};
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

const endless = { temperature: 0, logit_bias: { "0": -100, "2": -100 } };

describe("a worker process", { timeout: 30_000 }, () => {
  it("tells its hive how far loading is, then that it is ready and how busy", async () => {
    const worker = track(startWorker({ slots: 2, context_length: 256 }));
    await until("the socket", () => existsSync(worker.socketPath), 20_000);
    const early = await worker.chat({});
    if (early.status !== 200) expect(JSON.parse(early.body)).toMatchObject({ error: { code: "model_loading" } });
    const ready = await worker.message("ready");
    expect(ready).toEqual({ type: "ready", slots_total: 2, context_length: 256, backend: "cpu", device: "cpu" });
    const progress = worker.messages.flatMap((message) => (message.type === "loading" ? [message.progress] : []));
    expect(progress).toEqual(progress.toSorted((one, other) => one - other));
    expect(progress.at(-1)).toBe(1);
    const stream = await worker.stream({ ...endless, max_tokens: 100 });
    await all(stream.chunks());
    await until("busy, then idle again", () => {
      const activity = worker.messages.flatMap((message) => (message.type === "activity" ? [message] : []));
      return (
        activity.some((one) => one.slots_busy === 1) &&
        activity.at(-1)?.slots_busy === 0 &&
        activity.at(-1)?.tokens_per_s === 0
      );
    });
  });

  it("drains: the running answer finishes, new requests get worker_busy, then it says so and exits", async () => {
    const worker = track(await readyWorker());
    const stream = await worker.stream({ ...endless, max_tokens: 400 });
    const chunks = stream.chunks();
    await chunks.next();
    worker.child.send({ type: "drain" });
    await until("draining", async () => (await worker.call("GET", "/health")).body.includes('"draining"'));
    const refused = await worker.chat({});
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([503, { error: { code: "worker_busy" } }]);
    const rest = await all(chunks);
    expect(rest.at(-1)?.choices[0]?.finish_reason).toBe("length");
    expect(stream.raw()).toContain("data: [DONE]");
    expect(await worker.exited).toBe(0);
    expect(worker.messages.at(-1)).toEqual({ type: "drained" });
    expect(existsSync(worker.socketPath)).toBe(false);
  });

  it("takes SIGTERM as a request to drain and does not care about SIGINT", async () => {
    const worker = track(await readyWorker());
    worker.child.kill("SIGINT");
    const stream = await worker.stream({ ...endless, max_tokens: 200 });
    worker.child.kill("SIGTERM");
    const chunks = await all(stream.chunks());
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("length");
    expect(await worker.exited).toBe(0);
  });

  it("exits at once when its hive is gone, even in the middle of answers", async () => {
    const worker = track(await readyWorker());
    const streams = await Promise.all([worker.stream(endless), worker.stream(endless)]);
    for (const stream of streams) await stream.chunks().next();
    const started = performance.now();
    worker.child.disconnect();
    await worker.exited;
    expect(performance.now() - started).toBeLessThan(1000);
    expect(existsSync(worker.socketPath)).toBe(false);
  });

  it("runs without a hive", async () => {
    const worker = track(startWorker({ queue_limit: 0 }, { ipc: false }));
    await until("ready", () => worker.output().includes('"ready"'), 20_000);
    expect((await worker.chat({ temperature: 0 })).status).toBe(200);
    worker.child.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
  });

  it("fails with a code of the catalogue when the model cannot be loaded", async () => {
    const worker = track(startWorker({ model_path: "/nowhere/model.gguf" }));
    expect((await worker.message("failed")).error.code).toBe("worker_spawn_failed");
    expect(await worker.exited).toBe(1);
  });

  it("fails instead of falling back when the backend is not there", async () => {
    const worker = track(startWorker({ backend: "rocm", device: "rocm:0" }));
    expect((await worker.message("failed")).error).toMatchObject({ code: "backend_unavailable" });
  });
});
