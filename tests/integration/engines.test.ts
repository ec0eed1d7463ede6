import { RbeeError, type WorkerEngine } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { llamaServerPath } from "../support/llama.ts";
import { rbee } from "../support/rbee.ts";
import { waitFor } from "../support/wait-for.ts";

const nowhere = "/nonexistent/llama-server";
let household: Household;
let without: TestHive;

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  without = await joinedHive(household, "attic", { RBEE_LLAMA_SERVER: nowhere });
});
afterAll(async () => {
  await without.stop();
  await household.stop();
});

const setEngine = (engine: WorkerEngine | null) =>
  household.admin.updateModelSettings({ params: { id: "bee-tiny" }, body: { engine } });
const ask = () =>
  household.admin.chat({
    body: { model: "bee-tiny", temperature: 0, max_tokens: 24, messages: [{ role: "user", content: "Who are you?" }] },
    timeoutMs: 60_000,
  });
const explain = () => household.admin.explainModel({ params: { id: "bee-tiny" }, query: {} });

describe("a household without llama-server", () => {
  it("refuses a model that is set to it at once, and says what would help", async () => {
    await setEngine("llama-server");
    const error = await ask().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(RbeeError);
    expect(error).toMatchObject({
      code: "backend_unavailable",
      param: "engine",
      message: expect.stringContaining("attic has no llama-server"),
      suggestion: expect.stringContaining("npm run llama:build"),
    });
    expect((await explain()).hives).toMatchObject([{ verdict: "no_engine" }]);
    await setEngine(null);
  });

  it("shows the doctor a program that was named and is not there", async () => {
    const { stdout } = await rbee(household, ["doctor"]);
    expect(stdout).toContain(`its llama-server cannot be used: there is no ${nowhere}`);
  });
});

describe.skipIf(llamaServerPath === null)("a machine with llama-server", { timeout: 120_000 }, () => {
  let having: TestHive;
  beforeAll(async () => {
    having = await joinedHive(household, "cellar", { RBEE_LLAMA_SERVER: llamaServerPath ?? "" });
  });
  afterAll(async () => {
    await having.stop();
  });

  it("runs what is set to it, nobody else does, and the answer is the same", async () => {
    const ours = await ask();
    for (const hive of [without, having])
      for (const { worker_id } of (await hive.client().listWorkers()).data)
        await hive.client().stopWorker({ params: { id: worker_id } });
    await setEngine("llama-server");
    const { decision, hives } = await waitFor("the queen knows that they are gone", async () => {
      const explained = await explain();
      return explained.decision.kind === "use" ? undefined : explained;
    });
    expect(decision).toMatchObject({ kind: "load", hive: "cellar" });
    expect(hives.find(({ name }) => name === "attic")?.reason).toBe(
      "attic has no llama-server, which bee-tiny is set to run on.",
    );
    const theirs = await ask();
    expect(theirs.choices[0]?.message.content).toBe(ours.choices[0]?.message.content);
    expect(theirs.usage?.prompt_tokens).toBe(ours.usage?.prompt_tokens);
    const workers = (await having.client().listWorkers()).data.filter(({ state }) => state === "ready");
    expect(workers).toMatchObject([{ engine: "llama-server", model: "bee-tiny" }]);
  });
});
