import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { QueenClient, TaskEvent } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { neverEnding } from "../support/chat-stream.ts";
import { FakeHub } from "../support/fake-hub.ts";
import { freeze, thawAll } from "../support/frozen.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { invitedMember } from "../support/people.ts";
import { projectRoot, startProcess } from "../support/process.ts";
import { rbee } from "../support/rbee.ts";
import { answered, runTask, startTask, toldBy, untilToken } from "../support/task.ts";
import { waitFor } from "../support/wait-for.ts";

const repository = "bees/tiny";
const pulled = `hf:${repository}:Q8_0`;
const pulledId = "tiny-bee-Q8_0";

let hub: FakeHub;
let household: Household;
let attic: TestHive;
/** The hive of the queen's own machine. */
let home: string;
let member: QueenClient;

beforeAll(async () => {
  hub = await FakeHub.start();
  hub.add(repository, `${pulledId}.gguf`, readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf")));
  const env = { HF_ENDPOINT: hub.url };
  household = await startHousehold({ env });
  home = (await household.readyHive()).name;
  attic = await joinedHive(household, "attic", env);
  member = household.client((await invitedMember(household, "Grace")).key);
});
afterAll(async () => {
  thawAll();
  await attic.stop();
  await household.stop();
  await hub.close();
});

const question = { model: "bee-tiny", prompt: "Who are you?", temperature: 0, max_tokens: 12 };
const story = { model: "bee-tiny", prompt: "Tell me a story about a bee", ...neverEnding };
const allSlotsFree = () =>
  waitFor(
    "free slots",
    async () => {
      const { hives, totals } = await household.fleet();
      const workers = await Promise.all([attic.client().listWorkers()]);
      const isFree = workers.flatMap(({ data }) => data).every(({ slots_busy }) => slots_busy === 0);
      return isFree && hives.length === 2 && totals.requests_running === 0;
    },
    { limitMs: 1_000 },
  );
const usageOf = (requestId: string) =>
  waitFor("the usage row", async () =>
    (await household.admin.listUsage()).data.find(({ request_id }) => request_id === requestId),
  );

describe("a task on a model that nobody has loaded", () => {
  it("tells its steps in their order, then the answer, then one result, and nothing after [DONE]", async () => {
    const response = await household.admin.raw.task({ body: { ...question, node: "attic" } });
    const text = await response.text();
    expect(text.endsWith("\n\ndata: [DONE]\n\n")).toBe(true);
    expect(text.match(/^event: result$/gmu)).toHaveLength(1);
    const kinds = [...text.matchAll(/^event: (\w+)$/gmu)].map(([, kind]) => kind);
    expect(kinds.lastIndexOf("narration")).toBeLessThan(kinds.indexOf("token"));
    expect(kinds.at(-1)).toBe("result");
    const actions = [...text.matchAll(/"action":"(\w+)"/gu)].map(([, action]) => action ?? "");
    const steps = ["registry", "connect", "preflight", "spawn", "ready"];
    expect([...new Set(actions)].filter((action) => steps.includes(action))).toEqual(steps);
    expect(actions).toContain("timeout_start");
    expect((await attic.client().listWorkers()).data).toMatchObject([{ model: "bee-tiny" }]);
  });

  it("gives what a chat gives, and is metered like one", async () => {
    const told = answered(await runTask(household.admin, { ...question, node: "attic" }));
    const chat = await household.admin.chat({
      body: { ...question, prompt: undefined, messages: [{ role: "user", content: question.prompt }] } as never,
      timeoutMs: 60_000,
    });
    expect(told.text).toBe(chat.choices[0]?.message.content);
    expect(told.result.data).toMatchObject({
      ...{ model: "bee-tiny", hive: "attic", hive_id: attic.identity().hive_id, request_id: told.requestId },
      ...{ finish_reason: "length", usage: { completion_tokens: 12 }, timings: { predicted_n: 12 } },
    });
    const pieces = told.events.flatMap((event) => (event.type === "token" ? [event.i] : []));
    expect(pieces).toEqual(pieces.map((_, index) => index));
    expect(await usageOf(told.requestId)).toMatchObject({
      ...{ user: "Ada", status: 200, completion_tokens: 12, prompt_tokens: told.result.data?.usage?.prompt_tokens },
    });
    expect((await household.admin.listJobs()).data.map(({ operation }) => operation)).not.toContain("task");
  });

  it("once it is loaded goes straight to the worker and has nothing to tell, also for a member", async () => {
    for (const client of [household.admin, member]) {
      const told = answered(await runTask(client, { ...question, node: "ATTIC" }));
      expect(told.narrations.filter(({ level }) => level !== "debug")).toEqual([]);
      expect(told.text).not.toBe("");
    }
  });
});

describe("a task that cannot be", () => {
  it("is refused at once with the status of its error, and says what would help", async () => {
    const refused = (body: object) => runTask(household.admin, { ...question, ...body });
    await expect(refused({ node: "cellar" })).rejects.toMatchObject({
      ...{ code: "node_not_found", status: 404, param: "node" },
      suggestion: expect.stringContaining("rbee hive install cellar") as string,
    });
    await expect(refused({ model: "nothing" })).rejects.toMatchObject({ code: "model_not_found", status: 404 });
    await expect(refused({ backend: "cuda" })).rejects.toMatchObject({
      ...{ code: "backend_unavailable", status: 400, param: "backend" },
      details: { requested: "cuda", available_devices: ["cpu"] },
    });
    await expect(refused({ prompt: undefined })).rejects.toMatchObject({ code: "invalid_request", param: "prompt" });
    await expect(refused({ n: 2 })).rejects.toMatchObject({ code: "invalid_request", param: "n" });
  });

  it("fails in its stream with the worker's own error", async () => {
    const told = await runTask(household.admin, { ...question, prompt: "bee ".repeat(5_000) });
    expect(told.result).toMatchObject({ status: "failed", error: { code: "context_length_exceeded" } });
  });

  it("is told by `rbee infer` with exit code 1", async () => {
    const { exitCode, stdout, stderr } = await rbee(household, ["infer", "--model", "nothing", "--prompt", "x"]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error {4}No hive of this household has the model nothing\./u);
  });
});

describe("a model that is somewhere else", () => {
  it("is nothing that a member may have fetched", async () => {
    const asked = hub.requests.length;
    await expect(runTask(member, { ...question, model: pulled })).rejects.toMatchObject({
      ...{ code: "forbidden", status: 403 },
      suggestion: expect.stringContaining(`rbee model pull ${pulled}`) as string,
    });
    expect(hub.requests).toHaveLength(asked);
  });

  it("is fetched from the hub when nobody has it, then from a neighbour, and answers there", async () => {
    const first = answered(await runTask(household.admin, { ...question, model: pulled, node: home }));
    expect(first.actions).toEqual(["registry", "connect", "preflight", "provision", "spawn", "ready"]);
    expect(first.result.data).toMatchObject({ model: pulledId, hive: home });
    expect(first.events).toContainEqual(expect.objectContaining({ type: "progress", phase: "downloading" }));

    const asked = hub.fileRequests.length;
    await expect(runTask(member, { ...question, model: pulledId, node: "attic" })).rejects.toMatchObject({
      code: "forbidden",
    });
    const second = answered(await runTask(household.admin, { ...question, model: pulledId, node: "attic" }));
    expect(second.actions).toEqual(["registry", "connect", "preflight", "provision", "spawn", "ready"]);
    expect(second.result.data).toMatchObject({ model: pulledId, hive: "attic" });
    expect(second.text).toBe(first.text);
    expect(hub.fileRequests).toHaveLength(asked);
    const jobs = (await household.admin.listJobs()).data;
    expect(jobs.filter(({ operation }) => operation === "model_download")).toHaveLength(2);
  });
});

describe("a task that is cancelled", () => {
  it("by its id ends as cancelled, frees its slot within a second, and is recorded with what it cost", async () => {
    const task = await startTask(household.admin, { ...story, node: "attic" });
    const seen = await untilToken(task);
    await expect(member.cancelInference({ params: { request_id: task.requestId } })).rejects.toMatchObject({
      ...{ code: "forbidden", status: 403 },
    });
    await household.admin.cancelInference({ params: { request_id: task.requestId } });
    await allSlotsFree();
    for await (const event of task.events) seen.push(event);
    const { result } = toldBy(task.requestId, seen);
    expect(result).toMatchObject({ status: "cancelled", error: { code: "request_cancelled" } });
    const row = await usageOf(task.requestId);
    expect(row).toMatchObject({ status: 499, error_code: "request_cancelled" });
    expect(row.prompt_tokens).toBeGreaterThan(5);
    expect(row.completion_tokens).toBeGreaterThan(0);
    // Once more, and one that never was: the same answer.
    await household.admin.cancelInference({ params: { request_id: task.requestId } });
    await household.admin.cancelInference({ params: { request_id: "never-was" } });
  });

  it("because its client left frees its slot as well", async () => {
    const leaving = new AbortController();
    const task = await startTask(household.admin, { ...story, node: "attic" }, leaving.signal);
    await untilToken(task);
    leaving.abort();
    await allSlotsFree();
    expect(await usageOf(task.requestId)).toMatchObject({ status: 499 });
  });

  it("may as well be a chat, which then ends with an error event", async () => {
    const answer = await household.admin.raw.chat({
      body: { model: "bee-tiny", stream: true, messages: [{ role: "user", content: "A story" }], ...neverEnding },
    });
    const requestId = answer.headers.get("x-request-id") ?? "";
    const text = answer.text();
    await waitFor("the chat to run", async () => (await household.fleet()).totals.requests_running === 1);
    await household.admin.cancelInference({ params: { request_id: requestId } });
    await allSlotsFree();
    expect((await text).trimEnd()).toMatch(/\ndata: \{"error":\{.*"code":"request_cancelled".*\}\}$/u);
    const row = await usageOf(requestId);
    expect(row.status).toBe(499);
    expect(row.completion_tokens).toBeGreaterThan(0);
  });

  it("is `rbee infer` interrupted by Ctrl-C: exit code 130", async () => {
    const [worker] = (await attic.client().listWorkers()).data;
    // The answer may be short, and must not be over before the interruption.
    freeze(worker?.pid);
    const infer = startProcess(
      ["packages/cli/bin/rbee.js", "infer", "--model", "bee-tiny", "--node", "attic", "--prompt", "A long story"],
      {
        RBEE_HOME: household.home,
        RBEE_CONFIG_DIR: join(household.home, "config"),
      },
    );
    await waitFor("the question", async () => (await household.fleet()).totals.requests_running === 1);
    infer.child.kill("SIGINT");
    expect(await infer.exited).toBe(130);
    thawAll();
    await allSlotsFree();
    const newest = (await household.admin.listUsage({ query: { limit: 1 } })).data[0];
    expect(newest).toMatchObject({ status: 499 });
  });
});

describe("a queen that stops", () => {
  it("ends the answers of tasks with a result that says so", async () => {
    const task = await startTask(household.admin, { ...story, node: "attic" });
    const seen: TaskEvent[] = await untilToken(task);
    const restarted = household.restartQueen();
    for await (const event of task.events) seen.push(event);
    const { result } = toldBy(task.requestId, seen);
    expect(result.status).not.toBe("succeeded");
    expect(result.error?.message).toContain("The queen is stopping.");
    await restarted;
    await household.readyHive("attic");
    await household.readyHive(home);
  });
});

describe("a machine that is off", () => {
  it("is given up on after ten attempts to connect, with the network's own words, long before the time limit", async () => {
    await attic.process.stop("SIGKILL");
    await waitFor(
      "attic to be seen as down",
      async () => (await household.fleet()).hives.find(({ name }) => name === "attic")?.health === "down",
    );
    const startedAt = performance.now();
    const told = await runTask(household.admin, { ...question, node: "attic" });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect(told.actions).toEqual(["registry", "connect"]);
    expect(told.result).toMatchObject({ status: "failed", error: { code: "hive_unreachable" } });
    expect(told.result.error?.message).toMatch(/attic does not accept connections \(10 attempts\): .*ECONNREFUSED/u);
    const { exitCode, stderr } = await rbee(household, [
      "infer",
      "--model",
      "bee-tiny",
      "--node",
      "attic",
      "--prompt",
      "x",
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error {4}connect.*ECONNREFUSED/mu);
    await attic.start();
    await household.readyHive("attic");
    answered(await runTask(household.admin, { ...question, node: "attic" }));
  });
});

describe("no queen", () => {
  it("is no obstacle: infer and chat start one for their length and stop it", async () => {
    const other = await startHousehold();
    const { home: folder, queen } = other;
    await queen.stop();
    const env = { RBEE_HOME: folder, RBEE_CONFIG_DIR: join(folder, "config"), RBEE_WORKER_THREADS: "1" };
    const infer = startProcess(["packages/cli/bin/rbee.js", "infer", "--prompt", "Hello", "--max-tokens", "5"], env);
    expect([await infer.exited, infer.output()]).toEqual([0, expect.stringContaining("stopped that queen again")]);
    await other.stop();
  });
});
