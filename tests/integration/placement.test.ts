import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RbeeError, type ChatAnswer, type PlacementExplanation } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { wholeJob } from "../support/job-stream.ts";
import { projectRoot } from "../support/process.ts";
import { rbee } from "../support/rbee.ts";
import { waitFor } from "../support/wait-for.ts";

/** One worker of the demonstration model is promised about 200 MB: there is room for one at a time. */
const memoryLimitMb = 300;
const demo = join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf");
const models = temporaryFolder("models");

let household: Household;
let hive: TestHive;

beforeAll(async () => {
  for (const id of ["wasp", "torn"]) mkdirSync(join(models.path, id));
  copyFileSync(demo, join(models.path, "wasp", "model.gguf"));
  // Its header can be read, so the hive offers it; but a tensor that the engine looks for has another name.
  const bytes = readFileSync(demo);
  bytes.write("blk.0.attn_X.weight", bytes.indexOf("blk.0.attn_q.weight"));
  writeFileSync(join(models.path, "torn", "model.gguf"), bytes);
  household = await startHousehold({ localHive: false });
  hive = await joinedHive(household, "attic", {
    RBEE_MODEL_PATHS: models.path,
    RBEE_MEMORY_LIMIT_MB: String(memoryLimitMb),
  });
});
afterAll(async () => {
  await hive.stop();
  await household.stop();
  models.remove();
});

const ask = (model: string): Promise<ChatAnswer> =>
  household.admin.chat({
    body: { model, temperature: 0, max_tokens: 8, messages: [{ role: "user", content: "Who are you?" }] },
    timeoutMs: 60_000,
  });
const explain = (model: string): Promise<PlacementExplanation> =>
  household.admin.explainModel({ params: { id: model }, query: {} });
const set = (model: string, body: Parameters<Household["admin"]["updateModelSettings"]>[0]["body"]) =>
  household.admin.updateModelSettings({ params: { id: model }, body });
/** The models that are loaded on the hive now, as it says itself. */
const loaded = async (): Promise<string[]> =>
  (await hive.client().listWorkers()).data
    .filter(({ state }) => state === "ready" || state === "busy")
    .map(({ model }) => model);
const refusalOf = async (answer: Promise<unknown>): Promise<RbeeError> =>
  answer.then(
    () => Promise.reject(new Error("it was not refused")),
    (error: unknown) => (error instanceof RbeeError ? error : Promise.reject(error as Error)),
  );

describe("another name of a model", () => {
  it("is asked for like the model, which is listed once", async () => {
    await set("bee-tiny", { aliases: ["helper"] });
    expect((await ask("helper")).model).toBe("bee-tiny");
    const listed = (await household.admin.listModels()).data;
    expect(listed.map(({ id, aliases }) => [id, aliases])).toContainEqual(["bee-tiny", ["helper"]]);
    expect(listed.map(({ id }) => id).sort()).toEqual(["bee-tiny", "torn", "wasp"]);
    expect((await household.admin.getModel({ params: { id: "helper" } })).id).toBe("bee-tiny");
    expect((await explain("helper")).decision).toMatchObject({ kind: "use", hive: "attic" });
  });

  it("cannot be another model's", async () => {
    expect((await refusalOf(set("wasp", { aliases: ["helper"] }))).code).toBe("already_exists");
    expect((await refusalOf(set("wasp", { aliases: ["bee-tiny"] }))).code).toBe("already_exists");
  });
});

describe("settings of a model", () => {
  it("take effect with the next worker, and the answer says so", async () => {
    const { notes } = await set("bee-tiny", { slots: 2, context_length: 256, idle_stop_s: 900 });
    expect(notes).toEqual([expect.stringContaining("the next worker")]);
    const before = (await hive.client().listWorkers()).data.find(({ state }) => state === "ready" || state === "busy");
    expect(before).toMatchObject({ model: "bee-tiny", slots_total: 4 });
    await hive.client().stopWorker({ params: { id: before?.worker_id ?? "" }, query: { drain_ms: 0 } });
    await ask("bee-tiny");
    const after = (await hive.client().listWorkers()).data.find(({ state }) => state === "ready" || state === "busy");
    expect(after).toMatchObject({ slots_total: 2, context_length: 256 });
  });

  it("that no worker could run with are refused with the field", async () => {
    const { stderr, exitCode } = await rbee(household, ["model", "set", "bee-tiny", "--context", "100000"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("trained for");
  });
});

describe("a model for which there is no room", () => {
  it("has the idle one stopped that is in its way, after saying so", async () => {
    await ask("bee-tiny");
    await waitFor("the worker to be idle", async () => (await explain("wasp")).decision.kind === "evict");
    const { decision, hives } = await explain("wasp");
    expect(decision.evicts.map(({ model }) => model)).toEqual(["bee-tiny"]);
    expect(hives[0]).toMatchObject({ verdict: "evict", device: "cpu" });
    expect(hives[0]?.need_mb).toBeGreaterThan(hives[0]?.have_mb ?? Number.POSITIVE_INFINITY);
    expect((await rbee(household, ["explain", "wasp"])).stdout).toContain("bee-tiny would be stopped");
    expect((await ask("wasp")).model).toBe("wasp");
    expect(await loaded()).toEqual(["wasp"]);
  });

  it("is refused with both numbers while the one in its way is pinned", async () => {
    await set("wasp", { pinned: true });
    const refused = await refusalOf(ask("bee-tiny"));
    expect(refused).toMatchObject({ code: "insufficient_ram", status: 507 });
    expect(refused.details).toMatchObject({ need_mb: expect.any(Number) as number });
    expect(await loaded()).toEqual(["wasp"]);
    await set("wasp", { pinned: false });
  });

  it("takes turns with the other, and everybody is answered", async () => {
    const asked = ["bee-tiny", "wasp", "bee-tiny", "wasp", "wasp", "bee-tiny"];
    expect((await Promise.all(asked.map(ask))).map(({ model }) => model)).toEqual(asked);
    expect(await loaded()).toHaveLength(1);
  });
});

describe("a model that cannot be loaded", () => {
  it("is left alone after three failures: refused at once with the real error, and explained", async () => {
    let last: RbeeError | undefined;
    for (let n = 0; n < 3; n++) last = await refusalOf(ask("torn"));
    const spawned = (await hive.client().listWorkers()).data.length;
    const refused = await refusalOf(ask("torn"));
    expect(refused).toMatchObject({ code: last?.code, message: last?.message });
    expect(refused.retryAfterS).toBeGreaterThan(20);
    expect((await hive.client().listWorkers()).data).toHaveLength(spawned);
    const [here] = (await explain("torn")).hives;
    expect(here).toMatchObject({ verdict: "failing", breaker: { failures: 3, error: { message: last?.message } } });
  });

  it("may be tried by a person all the same", async () => {
    const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "torn" } });
    expect((await wholeJob(household.admin, job_id)).at(-1)).toMatchObject({ status: "failed" });
    expect((await explain("torn")).hives[0]?.breaker?.failures).toBe(4);
  });
});

describe("a model that is wanted at the start", () => {
  it("is loaded when the queen is up, and again when its machine comes back", async () => {
    await set("wasp", { preload: true });
    for (const { worker_id } of (await hive.client().listWorkers()).data)
      await hive.client().stopWorker({ params: { id: worker_id }, query: { drain_ms: 0 } });
    await household.restartQueen();
    await waitFor("the model to be loaded", async () => (await loaded()).includes("wasp"), { limitMs: 30_000 });
    await waitFor("that to be known", async () => (await explain("wasp")).preload?.state === "loaded");
    await hive.process.stop("SIGKILL");
    await hive.start();
    await waitFor("the model to be loaded again", async () => (await loaded()).includes("wasp"), { limitMs: 40_000 });
  });
});
