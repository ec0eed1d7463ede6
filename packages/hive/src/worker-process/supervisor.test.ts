import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerSchema, workerTelemetrySchema, type RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import type { StartingEngine } from "../engines/engine.ts";
import { nodeLlamaCpp } from "../engines/node-llama-cpp.ts";
import { processStartedAt } from "../hardware/processes.ts";
import { eventually } from "../testing/eventually.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { simpleWorker } from "../testing/simple-worker-path.ts";
import { shippedModels, smallHive, token, type SmallHive } from "../testing/small-hive.ts";

const alive = (pid: number | null) => pid !== null && processStartedAt(pid) !== null;
const stateOf = ({ supervisor }: SmallHive, id: string) => supervisor.get(id).state;

/** Starts an answer that goes on until the client leaves. */
async function hold({ url }: SmallHive, id: string) {
  const client = new AbortController();
  const response = await fetch(`${url}/v1/workers/${id}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "x-wish": "hold" },
    body: "{}",
    signal: client.signal,
  });
  return { response, leave: () => client.abort() };
}

describe("starting a worker", () => {
  it("goes from starting to ready, with its process, socket and log in place", async () => {
    const hive = await smallHive();
    const worker = workerSchema.parse(await hive.spawn());
    expect(worker).toMatchObject({ state: "ready", model: "bee-tiny", device: "cpu", slots_total: 2, restarts: 0 });
    expect(alive(worker.pid)).toBe(true);
    const name = worker.worker_id.replace(":", "-");
    expect(readdirSync(join(hive.home, "run")).sort()).toEqual([`${name}.json`, `${name}.sock`]);
    await eventually("its words", async () =>
      (await hive.client.workerLogs({ params: { id: worker.worker_id } })).includes("simple worker, good, env 1"),
    );
    const [facts] = hive.supervisor.facts();
    expect(workerTelemetrySchema.parse({ ...facts, cpu_pct: null, rss_mb: null, vram_mb: null }).state).toBe("ready");
  });

  it("is refused before any process exists when the model, the backend or the device is not there", async () => {
    const hive = await smallHive();
    mkdirSync(join(hive.home, "models", "broken"));
    writeFileSync(join(hive.home, "models", "broken", "m.gguf"), "not a model");
    const codeOf = (body: object) =>
      hive.client.spawnWorker({ body: { model: "bee-tiny", ...body } }).then(
        () => "started",
        (error: unknown) => (error as RbeeError).code,
      );
    expect(await codeOf({ model: "nothing" })).toBe("model_not_found");
    expect(await codeOf({ model: "broken" })).toBe("model_not_found");
    expect(await codeOf({ backend: "cuda" })).toBe("backend_unavailable");
    expect(await codeOf({ device: "cuda:0" })).toBe("backend_unavailable");
    // A file with a hole of a terabyte behind the last tensor.
    mkdirSync(join(hive.home, "models", "huge"));
    copyFileSync(join(shippedModels, "bee-tiny", "bee-tiny-q8_0.gguf"), join(hive.home, "models", "huge", "m.gguf"));
    truncateSync(join(hive.home, "models", "huge", "m.gguf"), 1024 ** 4);
    expect(await codeOf({ model: "huge" })).toBe("insufficient_ram");
    expect(hive.supervisor.list()).toEqual([]);
  });

  it("fails with the worker's own error when the worker says why", async () => {
    const hive = await smallHive("refuses");
    const worker = await hive.spawn();
    expect(worker).toMatchObject({ state: "failed", error: { message: "The model is of an unknown kind." } });
    await eventually("its process is gone", () => !hive.supervisor.get(worker.worker_id).running);
  });

  it("fails with the exit code and the last words of a process that just ends", async () => {
    const hive = await smallHive("exits");
    const worker = await hive.spawn();
    expect(worker).toMatchObject({ state: "failed", pid: null, error: { code: "worker_spawn_failed" } });
    expect(worker.error?.message).toMatch(/exit code 3.*no such instruction set/u);
    expect(readdirSync(join(hive.home, "run"))).toEqual([]);
  });

  it("fails when the program cannot be started at all", async () => {
    const hive = await smallHive("", { command: ["/nonexistent/program"] });
    expect(await hive.spawn()).toMatchObject({ state: "failed", error: { code: "worker_spawn_failed" } });
  });

  it("fails with worker_load_timeout when loading never ends, and ends the process", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("never ready", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("loading", () => stateOf(hive, worker_id) === "loading");
    const { pid, load_progress } = hive.supervisor.get(worker_id).snapshot();
    expect(load_progress).toBe(0.5);
    clock.advance(30_000);
    expect(hive.supervisor.get(worker_id).snapshot()).toMatchObject({
      state: "failed",
      error: { code: "worker_load_timeout" },
    });
    await eventually("its process is gone", () => !alive(pid));
  });
});

describe("the queen of this machine", () => {
  it("hears where a worker answers, that it left and why, and where it is after it was started again", async () => {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const news = {
      serves: (id: string, path: string) => void told.push(["serves", id, path]),
      left: (id: string, error: RbeeError | null) => void told.push(["left", id, error?.message]),
    };
    const hive = await smallHive("good", { clock, news });
    const { worker_id, pid } = await hive.spawn();
    const socket = join(hive.home, "run", `${worker_id.replace(":", "-")}.sock`);
    expect(told).toEqual([["serves", worker_id, socket]]);
    process.kill(pid ?? 0, "SIGKILL");
    await eventually("the news of its end", () => told.length === 2);
    expect(told[1]).toEqual(["left", worker_id, expect.stringContaining("SIGKILL")]);
    clock.advance(1_000);
    await eventually("the news of its return", () => told.length === 3);
    expect(told[2]).toEqual(told[0]);
    void hive.supervisor.get(worker_id).stop(0);
    expect(told[3]).toEqual(["left", worker_id, expect.stringContaining("was stopped")]);
  });
});

describe("a worker's log", () => {
  it("can be followed while it runs, and read long after it has ended", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    const leaving = new AbortController();
    const followed = await hive.client.raw.workerLogs({
      params: { id: worker_id },
      query: { follow: "true" },
      signal: leaving.signal,
    });
    const reader = followed.body?.getReader();
    let text = "";
    const read = async (part: string) => {
      while (!text.includes(part)) text += new TextDecoder().decode((await reader?.read())?.value);
    };
    await read("simple worker, good");
    appendFileSync(hive.supervisor.logPath(worker_id), "one more word\n");
    await read("one more word");
    leaving.abort();
    await hive.supervisor.get(worker_id).stop(0);
    clock.advance(3_600_000);
    expect(hive.supervisor.list()).toEqual([]);
    expect(await hive.client.workerLogs({ params: { id: worker_id }, query: { lines: 1 } })).toBe("one more word\n");
  });

  it("is no way to other files: what is no worker's id, or names none, is not found", async () => {
    const hive = await smallHive();
    writeFileSync(join(hive.home, "logs", "worker-secret.log"), "x");
    for (const id of ["worker:nobody", "hive", "worker:../../hive", "worker-secret"])
      await expect(hive.client.workerLogs({ params: { id } })).rejects.toMatchObject({ code: "worker_not_found" });
  });
});

describe("how a worker is", () => {
  it("is asked of its process: one that is stopped in its tracks is not well, though its hive has heard nothing", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    const { pid } = hive.supervisor.get(worker_id).snapshot();
    const params = { id: worker_id };
    expect(await hive.client.workerHealth({ params })).toMatchObject({ problem: null, worker: { state: "ready" } });
    process.kill(pid ?? 0, "SIGSTOP");
    const asked = hive.client.workerHealth({ params });
    await eventually("the process is asked", () => clock.pending().includes(3_000));
    clock.advance(3_000);
    const stopped = await asked;
    expect(stopped).toMatchObject({ answered_in_ms: null, worker: { state: "ready" } });
    expect(stopped.problem).toContain(`(${pid}) does not answer within 3 s`);
    process.kill(pid ?? 0, "SIGCONT");
    expect((await hive.client.workerHealth({ params })).answered_in_ms).not.toBeNull();
  });

  it("says why one failed", async () => {
    const hive = await smallHive("exits");
    const { worker_id } = await hive.spawn();
    const { problem } = await hive.client.workerHealth({ params: { id: worker_id } });
    expect(problem).toMatch(/exit code 3.*no such instruction set/u);
    expect(hive.supervisor.facts()).toMatchObject([{ state: "failed", error: { code: "worker_spawn_failed" } }]);
  });

  it("tells when it will be stopped for want of work", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock, idleStopS: 300 });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    clock.advance(100_000);
    expect(hive.supervisor.facts()).toMatchObject([{ idle_s: 100, stops_in_s: 200 }]);
    const { leave } = await hold(hive, worker_id);
    await eventually("busy", () => stateOf(hive, worker_id) === "busy");
    expect(hive.supervisor.facts()).toMatchObject([{ idle_s: 0, stops_in_s: null }]);
    leave();
  });
});

describe("a worker that crashes", () => {
  it("is noticed within a second and started again after a second", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    const { pid } = hive.supervisor.get(worker_id).snapshot();
    process.kill(pid ?? 0, "SIGKILL");
    await eventually("noticed", () => stateOf(hive, worker_id) === "starting", 1_000);
    clock.advance(1_000);
    expect(hive.supervisor.get(worker_id).snapshot().error).toMatchObject({ code: "worker_crashed" });
    await eventually("ready again", () => stateOf(hive, worker_id) === "ready");
    const again = hive.supervisor.get(worker_id).snapshot();
    expect(again).toMatchObject({ restarts: 1, error: null });
    expect(again.pid).not.toBe(pid);
  });

  it("again and again is started after 1, 2, 4, 8 and 16 s, then has failed", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("dies when ready", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000]) {
      await eventually(`waits ${waitMs} ms`, () => clock.pending()[0] === waitMs);
      clock.advance(waitMs);
    }
    await eventually("failed", () => stateOf(hive, worker_id) === "failed");
    expect(hive.supervisor.get(worker_id).snapshot()).toMatchObject({
      restarts: 5,
      error: { code: "worker_crashed", message: "The worker process died (exit code 7)." },
    });
  }, 20_000);

  it("fails, and its hive goes on, when its program cannot be started any more", async () => {
    const clock = new ManualClock();
    const own = nodeLlamaCpp([process.execPath, simpleWorker, "dies when ready"]);
    let starts = 0;
    const replaced: StartingEngine = {
      ...own,
      name: "llama-server",
      start(launch, events) {
        if (starts++ > 0) throw new Error("the program is gone");
        return own.start(launch, events);
      },
    };
    const hive = await smallHive("good", { clock, engines: [replaced] });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny", engine: "llama-server" } });
    await eventually("it waits", () => clock.pending().includes(1_000));
    clock.advance(1_000);
    expect(hive.supervisor.get(worker_id).snapshot()).toMatchObject({
      state: "failed",
      error: { code: "worker_spawn_failed", message: expect.stringContaining("the program is gone") as string },
    });
    expect((await hive.client.listWorkers()).data).toHaveLength(1);
  });

  it("is not started again when it is stopped while it waits", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("dies when ready", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("it waits", () => clock.pending()[0] === 1_000);
    await hive.client.stopWorker({ params: { id: worker_id } });
    expect(stateOf(hive, worker_id)).toBe("stopped");
    expect(clock.pending()).toEqual([]);
  });
});

describe("stopping a worker", () => {
  it("lets it finish what it answers, refuses new requests meanwhile, and leaves nothing behind", async () => {
    const hive = await smallHive();
    const { worker_id, pid } = await hive.spawn();
    const { leave } = await hold(hive, worker_id);
    await eventually("busy", () => stateOf(hive, worker_id) === "busy");
    const stopped = hive.client.stopWorker({ params: { id: worker_id } });
    await eventually("draining", () => stateOf(hive, worker_id) === "draining");
    const refused = await hold(hive, worker_id);
    expect(refused.response.status).toBe(503);
    expect(await refused.response.json()).toMatchObject({ error: { code: "worker_busy" } });
    expect(alive(pid)).toBe(true);
    leave();
    await stopped;
    expect(alive(pid)).toBe(false);
    expect(stateOf(hive, worker_id)).toBe("stopped");
    expect(readdirSync(join(hive.home, "run"))).toEqual([]);
    expect(hive.supervisor.facts()).toEqual([]);
    expect(hive.supervisor.list().length).toBe(1);
  });

  it("ends one that does not drain when its time is over, and logs that", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("deaf", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    const { pid } = hive.supervisor.get(worker_id).snapshot();
    const stopped = hive.supervisor.get(worker_id).stop(30_000);
    clock.advance(29_999);
    expect(alive(pid)).toBe(true);
    clock.advance(1);
    await stopped;
    expect(alive(pid)).toBe(false);
    expect(hive.lines.at(-1)?.msg).toContain("still answered after 30000 ms");
  });

  it("a second time with less patience shortens the first", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("deaf", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("ready", () => stateOf(hive, worker_id) === "ready");
    const first = hive.supervisor.get(worker_id).stop(30_000);
    const second = hive.supervisor.get(worker_id).stop(2_000);
    clock.advance(2_000);
    await Promise.all([first, second]);
    expect(stateOf(hive, worker_id)).toBe("stopped");
  });

  it("while it loads ends it at once", async () => {
    const hive = await smallHive("never ready");
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await eventually("loading", () => stateOf(hive, worker_id) === "loading");
    await hive.client.stopWorker({ params: { id: worker_id } });
    expect(hive.supervisor.get(worker_id).snapshot()).toMatchObject({ state: "stopped", pid: null });
  });

  it("is forgotten five minutes later", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await hive.client.stopWorker({ params: { id: worker_id } });
    clock.advance(299_000);
    expect(hive.supervisor.list().length).toBe(1);
    clock.advance(2_000);
    expect(hive.supervisor.list()).toEqual([]);
  });

  it("stops no other, and a hive that shuts down stops all and starts none", async () => {
    const hive = await smallHive();
    const [one, two] = [await hive.spawn(), await hive.spawn()];
    await hive.client.stopWorker({ params: { id: one.worker_id } });
    expect(stateOf(hive, two.worker_id)).toBe("ready");
    await hive.supervisor.stopAll(1_000);
    expect(alive(two.pid)).toBe(false);
    await expect(hive.spawn()).rejects.toMatchObject({ code: "overloaded" });
    expect(existsSync(join(hive.home, "run", `${two.worker_id.replace(":", "-")}.sock`))).toBe(false);
  });
});

describe("a worker without work", () => {
  it("is stopped after its time, and not before", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock, idleStopS: 300 });
    const { worker_id } = await hive.spawn();
    await clock.advance(299_000);
    expect(stateOf(hive, worker_id)).toBe("ready");
    expect(hive.supervisor.facts()).toMatchObject([{ idle_s: 299 }]);
    await clock.advance(1_000);
    await eventually("its end", () => stateOf(hive, worker_id) === "stopped");
    expect(hive.lines.map(({ msg }) => msg)).toContain("bee-tiny had nothing to do for 300 s; stopping it.");
  });

  it("is kept while it answers, and for its whole time after that", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock, idleStopS: 300 });
    const { worker_id } = await hive.spawn();
    await clock.advance(200_000);
    const { leave } = await hold(hive, worker_id);
    await eventually("it works", () => stateOf(hive, worker_id) === "busy");
    await clock.advance(1_000_000);
    expect(hive.supervisor.facts()).toMatchObject([{ state: "busy", idle_s: 0 }]);
    leave();
    await eventually("it is done", () => stateOf(hive, worker_id) === "ready");
    await clock.advance(299_000);
    expect(stateOf(hive, worker_id)).toBe("ready");
    await clock.advance(1_000);
    await eventually("its end", () => stateOf(hive, worker_id) === "stopped");
  });

  it("is kept while its model is pinned, and goes some time after that", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock, idleStopS: 300 });
    const { worker_id } = await hive.spawn();
    const pin = (pinned: boolean) => hive.client.updateModel({ params: { id: "bee-tiny" }, body: { pinned } });
    await pin(true);
    await clock.advance(10_000_000);
    expect(stateOf(hive, worker_id)).toBe("ready");
    expect(hive.supervisor.facts()).toMatchObject([{ idle_s: 10_000, stops_in_s: null }]);
    await pin(false);
    await clock.advance(300_000);
    await eventually("its end", () => stateOf(hive, worker_id) === "stopped");
  });

  it("is kept for ever when its spawn says so", async () => {
    const clock = new ManualClock();
    const hive = await smallHive("good", { clock, idleStopS: 300 });
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "bee-tiny", idle_stop_s: -1 } });
    await hive.client.getWorker({ params: { id: worker_id }, query: { wait_ms: 10_000 } });
    await clock.advance(10_000_000);
    expect(stateOf(hive, worker_id)).toBe("ready");
  });
});

describe("a limit on the memory of workers", () => {
  it("holds for all of them together, and memory comes back with the end of one", async () => {
    const hive = await smallHive("good", { memoryLimitMb: 300 });
    const first = await hive.spawn();
    const [{ need_ram_mb = 0 } = {}] = hive.supervisor.facts();
    expect(need_ram_mb).toBeGreaterThan(150);
    const again = () => hive.client.spawnWorker({ body: { model: "bee-tiny" } });
    await expect(again()).rejects.toMatchObject({
      code: "insufficient_ram",
      details: { need_mb: need_ram_mb, have_mb: 300 - need_ram_mb },
    });
    await hive.client.stopWorker({ params: { id: first.worker_id }, query: { drain_ms: 0 } });
    expect((await again()).state).toBe("starting");
  });
});

describe("the threads of workers on a processor", () => {
  it("are divided while several of them compute, and given back", async () => {
    const processor = { model: "test", cores: 8, fastCores: null, threads: 16, usableThreads: 16 };
    const hive = await smallHive("good", { processor });
    const [one, other] = [await hive.spawn(), await hive.spawn()];
    const told = async ({ worker_id: id }: { worker_id: string }) => {
      const log = await hive.client.workerLogs({ params: { id } });
      return [...log.matchAll(/(\d+) threads from now on/gu)].map(([, threads]) => Number(threads));
    };
    // Eight cores less one for the queen are what each has by itself.
    const first = await hold(hive, one.worker_id);
    const second = await hold(hive, other.worker_id);
    await eventually("each has half", async () =>
      (await Promise.all([told(one), told(other)])).every((threads) => threads.at(-1) === 3),
    );
    second.leave();
    await eventually("the one that goes on has all again", async () => (await told(one)).at(-1) === 7);
    first.leave();
    expect(await told(one)).toEqual([3, 7]);
  });
});
