import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatModelReference, parseModelReference, type JobEvent, type JobRequest } from "@rbee/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeHub, ggufFile } from "../support/fake-hub.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { followJob, wholeJob } from "../support/job-stream.ts";
import { projectRoot } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

const repository = "bees/tiny";
const pulled = `hf:${repository}:Q8_0`;
const slow = { chunkBytes: 16 * 1024, delayMs: 20 };
const fast = { chunkBytes: 256 * 1024, delayMs: 0 };

let hub: FakeHub;
let household: Household;
let attic: TestHive;
/** The hive of the queen's own machine. */
let home: string;
let modelBytes: number;

beforeAll(async () => {
  hub = await FakeHub.start();
  const model = readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf"));
  modelBytes = model.length;
  hub.add(repository, "tiny-bee-Q8_0.gguf", model);
  hub.add("bees/third", "third-bee-Q8_0.gguf", Buffer.concat([model, Buffer.from("t")]));
  hub.add("bees/other", "other-bee-Q8_0.gguf", Buffer.concat([model, Buffer.from("o")]));
  const env = { HF_ENDPOINT: hub.url };
  household = await startHousehold({ env });
  home = (await household.readyHive()).name;
  attic = await joinedHive(household, "attic", env);
});
afterAll(async () => {
  await attic.stop();
  await household.stop();
  await hub.close();
});
beforeEach(() => {
  hub.pace = fast;
});

type Input<O> = Partial<Extract<JobRequest, { operation: O }>> & { model: string };
const start = async (body: Input<"model_download"> & { operation: "model_download" }): Promise<string> =>
  (await household.admin.startJob({ body })).job_id;
const pull = async (input: Input<"model_download">): Promise<JobEvent[]> =>
  wholeJob(household.admin, await start({ operation: "model_download", ...input }));
const remove = async (input: Input<"model_delete">): Promise<JobEvent[]> => {
  const { job_id } = await household.admin.startJob({ body: { operation: "model_delete", ...input } });
  return wholeJob(household.admin, job_id);
};
const models = async () => (await household.admin.listModels()).data.map(({ id }) => id);
const holders = async (id: string) => (await household.fleet()).models.find((model) => model.id === id)?.hives ?? [];
const isUnderWay = (event: JobEvent) => event.type === "progress" && event.done > 0 && event.done < (event.total ?? 0);

describe("a model that is pulled", () => {
  it("comes from the hub to the machine that rbee chose, with its story, and answers", async () => {
    const events = await pull({ model: pulled });
    expect(events.at(-1)).toMatchObject({ type: "result", status: "succeeded" });
    const result = events.at(-1);
    const { model, hive } = (result?.type === "result" ? result.data : undefined) as { model: string; hive: string };
    const told = events.filter((event) => event.type === "narration");
    expect(told.filter(({ action }) => action === "considered")).toHaveLength(2);
    expect(told).toContainEqual(expect.objectContaining({ action: "chosen", actor: "queen" }));
    expect(told).toContainEqual(expect.objectContaining({ action: "downloaded", actor: `hive:${hive}` }));
    expect(events).toContainEqual(
      expect.objectContaining({
        ...{ type: "progress", actor: `hive:${hive}`, phase: "downloading", unit: "bytes" },
        ...{ done: modelBytes, total: modelBytes },
      }),
    );
    // At once, without waiting for a heartbeat.
    expect(await models()).toContain(model);
    const answer = await household.admin.chat({
      body: { model, temperature: 0, max_tokens: 8, messages: [{ role: "user", content: "Hello" }] },
      timeoutMs: 60_000,
    });
    expect(answer.choices[0]?.message.content).not.toBe("");
  });

  it("travels from the machine that has it to the next one, under the same name and without the hub's files", async () => {
    const [first] = await holders("tiny-bee-Q8_0");
    const there = (await household.fleet()).hives.find(({ hive_id }) => hive_id === first);
    const other = there?.name === "attic" ? home : "attic";
    const asked = hub.fileRequests.length;
    const events = await pull({ model: pulled, hive: other });
    expect(events.at(-1)).toMatchObject({ status: "succeeded", data: { hive: other, from: [there?.name] } });
    expect(hub.fileRequests).toHaveLength(asked);
    expect(await holders("tiny-bee-Q8_0")).toHaveLength(2);
  });

  it("is deleted everywhere, each machine telling how it went; a worker that runs it stands in the way", async () => {
    const refused = await remove({ model: pulled });
    expect(refused.at(-1)).toMatchObject({ status: "failed", error: { code: "model_in_use" } });
    expect(await holders("tiny-bee-Q8_0")).toHaveLength(1);
    const rest = await remove({ model: pulled, force: true });
    expect(rest.at(-1)).toMatchObject({ status: "succeeded" });
    expect(await models()).not.toContain("tiny-bee-Q8_0");
    const outcomes = refused.at(-1) as { data?: { outcomes?: { status: string }[] } };
    expect(outcomes.data?.outcomes?.map(({ status }) => status).toSorted()).toEqual(["failed", "succeeded"]);
  });

  it("that a person put there is kept", async () => {
    expect((await remove({ model: "bee-tiny" })).at(-1)).toMatchObject({
      status: "failed",
      error: { code: "invalid_request", message: expect.stringContaining("did not download") as string },
    });
    expect(await models()).toContain("bee-tiny");
  });
});

describe("a model that cannot be pulled", () => {
  it("because no machine could run it goes nowhere by itself, and says what it would need", async () => {
    const giant = {
      ...{ "general.architecture": "llama", "llama.block_count": 400, "llama.context_length": 8_192 },
      ...{ "llama.embedding_length": 65_536, "llama.attention.head_count": 64, "tokenizer.ggml.tokens": ["a"] },
    };
    hub.add("bees/giant", "giant-bee-Q8_0.gguf", ggufFile(giant, 64));
    const asked = hub.fileRequests.length;
    const refused = await pull({ model: "hf:bees/giant" });
    expect(refused.at(-1)).toMatchObject({
      status: "failed",
      error: { code: "insufficient_ram", message: expect.stringContaining("attic has") as string },
    });
    // Its header is all that was read of it.
    expect(hub.fileRequests.slice(asked).map(({ range }) => range?.startsWith("bytes=0-"))).toEqual([true]);
  });

  it("fails with the hive's own error when the hub does not have it", async () => {
    const events = await pull({ model: "hf:bees/nothing", hive: "attic" });
    expect(events.at(-1)).toMatchObject({
      status: "failed",
      error: {
        code: "download_not_found",
        message: expect.stringContaining("bees/nothing") as string,
        suggestion: expect.stringMatching(/\w/u) as string,
      },
    });
  });

  it("is refused before anything starts when the machine or the reference makes no sense", async () => {
    const nowhere = start({ operation: "model_download", model: pulled, hive: "cellar" });
    await expect(nowhere).rejects.toMatchObject({ code: "node_not_found", status: 404 });
    const nonsense = start({ operation: "model_download", model: "hf:nothing" });
    await expect(nonsense).rejects.toMatchObject({ code: "invalid_request", param: "model" });
    const somewhere = start({ operation: "model_download", model: "file:///srv/bee.gguf" });
    await expect(somewhere).rejects.toMatchObject({ code: "invalid_request", param: "hive" });
    const unknown = await pull({ model: "nobody-has-this", hive: "attic" });
    expect(unknown.at(-1)).toMatchObject({ status: "failed", error: { code: "model_not_found" } });
  });
});

describe("a pull that is disturbed", () => {
  const other = formatModelReference(parseModelReference("hf:bees/other"));
  const filesLeft = () =>
    readdirSync(join(attic.home, "models"), { recursive: true, withFileTypes: true }).filter((file) => file.isFile());

  it("ends as cancelled, and nothing goes on at the machine or at the hub", async () => {
    hub.pace = slow;
    const jobId = await start({ operation: "model_download", model: other, hive: "attic" });
    const seen: JobEvent[] = [];
    for await (const event of followJob(household.admin, jobId)) {
      seen.push(event);
      if (isUnderWay(event)) await household.admin.cancelJob({ params: { id: jobId } });
    }
    expect(seen.at(-1)).toMatchObject({ type: "result", status: "cancelled" });
    await waitFor("the hub to be left alone", () => hub.running === 0);
    const jobs = (await attic.client().listJobs()).data;
    expect(jobs.map(({ state }) => state)).not.toContain("running");
    expect(filesLeft()).toEqual([]);
  });

  it("goes on at the machine when the queen stops, though her job is over", async () => {
    hub.pace = slow;
    const jobId = await start({ operation: "model_download", model: "hf:bees/third", hive: "attic" });
    for await (const event of followJob(household.admin, jobId)) if (isUnderWay(event)) break;
    const asked = hub.fileRequests.length;
    await household.restartQueen();
    expect((await household.admin.getJob({ params: { id: jobId } })).state).toBe("cancelled");
    hub.pace = fast;
    await waitFor("the model at the machine", async () => (await models()).includes("third-bee-Q8_0"));
    expect(hub.fileRequests).toHaveLength(asked);
  });

  it("needs no hub when the household has the model: its name is enough", async () => {
    const asked = hub.requests.length;
    const events = await pull({ model: "third-bee-Q8_0", hive: home });
    expect(events.at(-1)).toMatchObject({ status: "succeeded", data: { hive: home, from: ["attic"], already: false } });
    const again = await pull({ model: "third-bee-Q8_0" });
    expect(again.at(-1)).toMatchObject({ status: "succeeded", data: { already: true } });
    expect(hub.requests).toHaveLength(asked);
  });

  it("goes on where it was when the machine is killed and started again", async () => {
    hub.pace = slow;
    const jobId = await start({ operation: "model_download", model: other, hive: "attic" });
    const seen: JobEvent[] = [];
    let killed = false;
    for await (const event of followJob(household.admin, jobId)) {
      seen.push(event);
      if (killed || !isUnderWay(event)) continue;
      killed = true;
      await attic.process.stop("SIGKILL");
      hub.pace = fast;
      await attic.start();
    }
    expect(killed).toBe(true);
    expect(seen.at(-1)).toMatchObject({ type: "result", status: "succeeded", data: { hive: "attic" } });
    expect(seen).toContainEqual(expect.objectContaining({ action: "restarted", level: "warn" }));
    expect(hub.fileRequests.at(-1)?.range).toMatch(/^bytes=[1-9]\d*-$/u);
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
  });
});
