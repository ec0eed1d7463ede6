import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { InternalServerError } from "openai";
import type { Worker } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatEvents, neverEnding, type StreamEvent } from "../../support/chat-stream.ts";
import {
  errorAnswer,
  expectCommandFault,
  expectFault,
  expectJobFault,
  failureOf,
  retryAfterS,
  type Fault,
} from "../../support/fault.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { freeze, thawAll } from "../../support/frozen.ts";
import { joinedHive, type HivePlace, type TestHive } from "../../support/hive.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { limitMemory, whyNoMemoryLimit } from "../../support/memory-limit.ts";
import { isAlive, projectRoot, tenTimesAsFast } from "../../support/process.ts";
import { waitFor } from "../../support/wait-for.ts";

let household: Household;
let key: string;
/** The one hive that is there; every test brings its own. */
let hive: TestHive | undefined;

beforeAll(async () => {
  // Everybody lives ten times as fast: a minute of silence takes six seconds, and a request waits as long for its model.
  household = await startHousehold({ localHive: false, env: { ...tenTimesAsFast, RBEE_LOAD_WAIT: "60" } });
  key = await household.key();
});
afterAll(async () => {
  thawAll();
  await hive?.stop();
  await household.stop();
});

async function onlyHive(name: string, env: Record<string, string> = {}, place: HivePlace = {}): Promise<TestHive> {
  await hive?.stop();
  for (const { hive_id } of (await household.fleet()).hives)
    await household.admin.removeHive({ params: { id: hive_id } });
  hive = await joinedHive(household, name, { ...tenTimesAsFast, ...env }, place);
  return hive;
}

const body = (stream: boolean) => ({
  ...{ model: "bee-tiny", stream, messages: [{ role: "user" as const, content: "Tell me a story about a bee" }] },
  max_tokens: 8,
});
const chat = (stream = false, more: object = {}) =>
  fetch(`${household.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ ...body(stream), ...more }),
  });
const infer = ["infer", "--model", "bee-tiny", "--prompt", "Tell me a story"];

const workers = async (): Promise<Worker[]> => (await hive?.client().listWorkers())?.data ?? [];
async function readyPid(): Promise<number> {
  return waitFor("a ready worker", async () => (await workers()).find(({ state }) => /ready|busy/u.test(state))?.pid);
}

/** Reads a stream until its first text, then disturbs it and reads it to its end. */
async function disturbed(disturb: () => unknown): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  let done = false;
  for await (const event of chatEvents(await chat(true, neverEnding))) {
    events.push(event);
    if (!done && event.kind === "chunk" && event.text !== "") {
      done = true;
      await disturb();
    }
  }
  return events;
}
const lastError = (events: readonly StreamEvent[]) => {
  const last = events.at(-1);
  expect(events.filter(({ kind }) => kind !== "chunk")).toEqual([last]);
  return last?.kind === "error" ? last.error : last;
};

describe("a worker that hangs", () => {
  const fault: Fault = {
    code: "worker_stalled",
    message: /The worker (sent nothing|has not worked on this answer) for 60 s/u,
    suggestion: /Try again; when it happens often, stop the worker/u,
  };

  it("worker_stalled: in the middle of an answer ends it with an error event, and whoever comes then is told too", async () => {
    await onlyHive("attic");
    let pid = 0;
    const others: Promise<unknown>[] = [];
    const events = await disturbed(async () => {
      pid = await readyPid();
      freeze(pid);
      others.push(chat().then(errorAnswer), chat(true).then(errorAnswer), expectCommandFault(household, infer, fault));
    });
    expectFault(lastError(events), fault);
    const [whole, streamed] = (await Promise.all(others)) as Awaited<ReturnType<typeof errorAnswer>>[];
    for (const told of [whole, streamed]) {
      expect(told?.status).toBe(500);
      expectFault(told?.error, fault);
    }
    thawAll();
    expect((await chat()).status).toBe(200);
  }, 40_000);
});

describe("a worker that is killed", () => {
  it("worker_crashed: before its first token is asked once more when it is there again, and nobody notices", async () => {
    await onlyHive("attic");
    expect((await chat()).status).toBe(200);
    const pid = await readyPid();
    freeze(pid);
    const answers = [chat(), chat(true)];
    await waitFor("both to be with the worker", async () => (await household.fleet()).totals.requests_running === 2);
    process.kill(pid, "SIGKILL");
    const [whole, streamed] = await Promise.all(answers);
    expect([whole?.status, streamed?.status]).toEqual([200, 200]);
    expect((await streamed?.text())?.trimEnd().endsWith("data: [DONE]")).toBe(true);
    expect(await readyPid()).not.toBe(pid);
  });

  it("worker_crashed: in the middle of an answer ends it with an error that says how it died", async () => {
    const pid = await readyPid();
    expectFault(lastError(await disturbed(() => process.kill(pid, "SIGKILL"))), {
      code: "worker_crashed",
      message: /The worker process died \(signal SIGKILL\)/u,
      suggestion: /Try again: the worker is started anew/u,
      details: { reason: "signal SIGKILL" },
    });
  });

  it.skipIf(whyNoMemoryLimit !== null)(
    `worker_crashed: by a system that has no memory left says so${whyNoMemoryLimit === null ? "" : ` (skipped: ${whyNoMemoryLimit})`}`,
    async () => {
      const limit = limitMemory(512);
      await onlyHive("cramped", {}, { through: limit.through, workersThat: "takes all memory" });
      expectFault(lastError(await disturbed(() => {})), {
        code: "worker_crashed",
        message: /ended by the system, which had no memory left/u,
        suggestion: /shorter context or fewer slots, take a smaller model/u,
        details: { out_of_memory: true },
      });
      await hive?.stop();
      limit.remove();
    },
  );
});

describe("a worker that does not start", () => {
  const lastWords = ["llama_model_load: the roof is leaking", "llama_model_load: giving up"];

  it("worker_spawn_failed: ends with the last lines of its log", async () => {
    await onlyHive("leaky", {}, { workersThat: "never starts" });
    const fault: Fault = {
      code: "worker_spawn_failed",
      message: /ended before it was ready \(exit code 3\)\. Its last words: .*the roof is leaking/u,
      suggestion: /log on that machine/u,
      details: { reason: "exit code 3", last_lines: lastWords },
    };
    for (const stream of [false, true]) expectFault((await errorAnswer(await chat(stream))).error, fault);
    await expectCommandFault(household, infer, fault);
    await expectJobFault(household, ["worker", "spawn", "--model", "bee-tiny"], fault);
    const openai = new OpenAI({ baseURL: `${household.url}/v1`, apiKey: key, maxRetries: 0 });
    const thrown = await failureOf(openai.chat.completions.create({ ...body(false), stream: false }));
    expect(thrown).toBeInstanceOf(InternalServerError);
    expect(thrown).toMatchObject({ status: 500, code: "worker_spawn_failed" });
  });

  it("worker_spawn_failed: one that crashes and does not come up again is tried after 1, 2, 4, 8 and 16 s, then has failed", async () => {
    const place: HivePlace = { workersThat: "dies once, then never starts" };
    const unlucky = await onlyHive("unlucky", {}, place);
    await unlucky.client().spawnWorker({ body: { model: "bee-tiny" } });
    const failed = await waitFor("the last of its starts", async () =>
      (await workers()).find(({ state }) => state === "failed"),
    );
    expectFault(failed.error, {
      code: "worker_spawn_failed",
      message: /the roof is leaking/u,
      suggestion: /log on that machine/u,
    });
    expect(failed.restarts).toBe(5);
    const waits = unlucky.process.output().matchAll(/starting it again in (\d+) s/gu);
    expect([...waits].map(([, seconds]) => Number(seconds))).toEqual([1, 2, 4, 8, 16]);
  });

  it("model_not_found: a damaged model is listed with what is wrong with it, and no process is started for it", async () => {
    const folder = temporaryFolder("damaged");
    const whole = readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf"));
    const damaged = {
      "no-gguf": Buffer.from("<html>"),
      empty: Buffer.alloc(0),
      half: whole.subarray(0, whole.length / 2),
      scrambled: Buffer.concat([whole.subarray(0, 24), Buffer.alloc(4_000, 0xff), whole.subarray(4_024)]),
    };
    for (const [name, content] of Object.entries(damaged)) {
      mkdirSync(join(folder.path, name));
      writeFileSync(join(folder.path, name, `${name}.gguf`), content);
    }
    const attic = await onlyHive("attic", { RBEE_MODEL_PATHS: folder.path });
    for (const id of Object.keys(damaged)) {
      expectFault(await failureOf(attic.client().spawnWorker({ body: { model: id } })), {
        code: "model_not_found",
        message: /cannot be started: (it|its|the file) \w+/u,
        suggestion: /Download the model again/u,
      });
    }
    expect(await workers()).toEqual([]);
    folder.remove();
  });
});

describe("a worker that does not get ready", () => {
  it("model_loading: whoever asks is told when to come back and how far it is", async () => {
    await onlyHive("slow", {}, { workersThat: "never gets ready" });
    const fault: Fault = {
      code: "model_loading",
      message: /bee-tiny is still loading \(50 %\)/u,
      suggestion: /Try again when/u,
      details: { progress: 0.5 },
    };
    const openai = new OpenAI({ baseURL: `${household.url}/v1`, apiKey: key, maxRetries: 0 });
    const [told, thrown] = await Promise.all([
      chat().then(errorAnswer),
      failureOf(openai.chat.completions.create({ ...body(true), stream: true })),
    ]);
    expectFault(told.error, fault);
    expect([told.status, retryAfterS(told.headers)]).toEqual([503, 5]);
    expect(thrown).toBeInstanceOf(InternalServerError);
    expect(thrown).toMatchObject({ status: 503, code: "model_loading" });
    expect(await workers()).toHaveLength(1);
  });

  it("worker_load_timeout: after its time it is ended, and who waited is told", async () => {
    await onlyHive("slow", { RBEE_LOAD_TIMEOUT: "20" }, { workersThat: "never gets ready" });
    const fault: Fault = {
      code: "worker_load_timeout",
      message: /bee-tiny did not load within 20 s/u,
      suggestion: /Raise RBEE_LOAD_TIMEOUT on that machine, or take a smaller model/u,
    };
    const { status, error } = await errorAnswer(await chat(true));
    expect(status).toBe(500);
    expectFault(error, fault);
    await expectJobFault(household, ["worker", "spawn", "--model", "bee-tiny"], fault);
    expect((await workers()).map(({ state, pid }) => [state, pid])).toEqual([
      ["failed", null],
      ["failed", null],
    ]);
  });
});

describe("a worker that takes no more", () => {
  it("worker_busy: is asked three times more, after 1, 2 and 4 s, and then the client is told when to come back", async () => {
    await onlyHive("full", {}, { workersThat: "is always full" });
    const startedAt = performance.now();
    const { status, headers, error } = await errorAnswer(await chat());
    expect([status, retryAfterS(headers)]).toEqual([503, 2]);
    expectFault(error, { code: "worker_busy", message: /queue is full/u, suggestion: /^|Try again/u });
    expect(performance.now() - startedAt).toBeGreaterThan(690);
  });

  it("worker_busy: one that does not stop is ended after its 30 s and that is logged; its answer ends with an error", async () => {
    const deaf = await onlyHive("deaf", {}, { workersThat: "does not listen" });
    let pid = 0;
    const events = await disturbed(async () => {
      pid = await readyPid();
      deaf.process.child.kill("SIGTERM");
    });
    expectFault(lastError(events), {
      code: "worker_busy",
      message: /The worker was stopped before its answer was complete/u,
      suggestion: /Try again/u,
    });
    expect(await waitFor("the end of the hive", () => deaf.process.child.exitCode !== null)).toBe(true);
    expect(deaf.process.child.exitCode).toBe(0);
    expect(await isAlive(pid)).toBe(false);
    expect(deaf.process.output()).toContain("still answered after 30000 ms; ended it");
  });
});
