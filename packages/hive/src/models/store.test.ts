import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeHub } from "../testing/fake-hub.ts";
import { temporaryFolder } from "../testing/fixture.ts";
import { smallModel } from "../testing/gguf-model.ts";
import { performJob } from "../testing/hive-job.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { shippedModels, smallHive, token } from "../testing/small-hive.ts";
import { ModelDatabase, type ModelRecord } from "./database.ts";

const content = smallModel(100_000);

/** A hive that has downloaded `small` from a hub. */
async function hiveWithModel() {
  const hub = await FakeHub.start();
  onTestFinished(() => hub.close());
  hub.add("ada/small", "small.gguf", content);
  const hive = await smallHive("good", { hubUrl: hub.url });
  const { result } = await performJob(hive.client, { operation: "model_download", model: "hf:ada/small" });
  expect(result.status).toBe("succeeded");
  return hive;
}
const entry = async (hive: Awaited<ReturnType<typeof smallHive>>, id: string) =>
  (await hive.client.listModels()).data.find((model) => model.id === id);

describe("deleting a model", () => {
  const operation = "model_delete" as const;

  it("frees its bytes, and the catalogue forgets it", async () => {
    const hive = await hiveWithModel();
    const { result } = await performJob(hive.client, { operation, model: "hf:ada/small" });
    expect(result).toMatchObject({ status: "succeeded", data: { model: "small", freed_bytes: content.length } });
    expect(existsSync(join(hive.home, "models", "small"))).toBe(false);
    expect(await entry(hive, "small")).toBeUndefined();
    const again = await performJob(hive.client, { operation, model: "small" });
    expect(again.result.error?.code).toBe("model_not_found");
  });

  it("is refused while a worker runs it, naming the worker; force stops that one first", async () => {
    const hive = await hiveWithModel();
    const { worker_id } = await hive.client.spawnWorker({ body: { model: "small" } });
    await hive.client.getWorker({ params: { id: worker_id }, query: { wait_ms: 10_000 } });
    const refused = await performJob(hive.client, { operation, model: "small" });
    expect(refused.result.error).toMatchObject({ code: "model_in_use", details: { workers: [worker_id] } });
    expect(existsSync(join(hive.home, "models", "small", "small.gguf"))).toBe(true);
    const forced = await performJob(hive.client, { operation, model: "small", force: true });
    expect(forced.result.status).toBe("succeeded");
    expect(hive.supervisor.get(worker_id).state).toBe("stopped");
  });

  it("is refused for a pinned model, and for one that rbee did not put there", async () => {
    const hive = await hiveWithModel();
    await hive.client.updateModel({ params: { id: "small" }, body: { pinned: true } });
    expect((await performJob(hive.client, { operation, model: "small" })).result.error?.code).toBe("model_in_use");
    const foreign = await performJob(hive.client, { operation, model: "bee-tiny", force: true });
    expect(foreign.result.error).toMatchObject({ code: "invalid_request", param: "model" });
    expect(existsSync(join(shippedModels, "bee-tiny", "bee-tiny-q8_0.gguf"))).toBe(true);
  });
});

describe("importing a file", () => {
  const operation = "model_download" as const;

  it("leaves it where it is, also when the model is deleted", async () => {
    const path = join(temporaryFolder(), "my möbel 100%.gguf");
    writeFileSync(path, content);
    const hive = await smallHive();
    const model = `file://${path.split("/").map(encodeURIComponent).join("/")}`;
    const { result } = await performJob(hive.client, { operation, model, id: "mine" });
    expect(result).toMatchObject({ status: "succeeded", data: { model: "mine", already: false } });
    expect(await entry(hive, "mine")).toMatchObject({ provider: "import", reference: model, removable: false });
    await expect(hive.client.spawnWorker({ body: { model: "mine" } })).resolves.toMatchObject({ model: "mine" });
    const again = await performJob(hive.client, { operation, model });
    expect(again.result.data).toMatchObject({ model: "mine", already: true });
    await performJob(hive.client, { operation: "model_delete", model: "mine", force: true });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(await entry(hive, "mine")).toBeUndefined();
  });

  it("refuses what is not there or is no model", async () => {
    const hive = await smallHive();
    const path = join(temporaryFolder(), "letter.gguf");
    writeFileSync(path, "Dear Ada, this is a letter and no model.");
    for (const model of ["file:///nowhere/x.gguf", `file://${path}`])
      expect((await performJob(hive.client, { operation, model })).result.error).toMatchObject({
        code: "invalid_request",
        param: "model",
      });
  });
});

describe("a model's other names", () => {
  it("start it, and cannot be another model's", async () => {
    const hive = await hiveWithModel();
    await hive.client.updateModel({ params: { id: "small" }, body: { aliases: ["quick", "cheap"] } });
    const { data } = await hive.client.listModels();
    expect(data.find(({ id }) => id === "small")?.aliases).toEqual(["cheap", "quick"]);
    await expect(hive.client.spawnWorker({ body: { model: "quick" } })).resolves.toMatchObject({ model: "small" });
    const body = { aliases: ["quick"] };
    await expect(hive.client.updateModel({ params: { id: "bee-tiny" }, body })).rejects.toMatchObject({
      code: "already_exists",
    });
  });
});

describe("a split model", () => {
  it("that lacks a part is shown as such, and cannot be started", async () => {
    const hive = await smallHive();
    const folder = join(hive.home, "models", "big");
    mkdirSync(folder);
    writeFileSync(join(folder, "big-00001-of-00003.gguf"), smallModel(1_000, 1, { "split.count": 3 }));
    writeFileSync(join(folder, "big-00003-of-00003.gguf"), smallModel(1_000, 1, { "split.count": 3, "split.no": 2 }));
    expect(await entry(hive, "big")).toMatchObject({
      state: "incomplete",
      problem: "1 of its 3 parts is missing (big-00002-of-00003.gguf)",
    });
    await expect(hive.client.spawnWorker({ body: { model: "big" } })).rejects.toMatchObject({
      code: "model_not_found",
      details: { state: "incomplete" },
    });
    writeFileSync(join(folder, "big-00002-of-00003.gguf"), smallModel(1_000, 1, { "split.count": 3, "split.no": 1 }));
    expect(await entry(hive, "big")).toMatchObject({ state: "ready", parameters: 3_072 });
  });
});

describe("leave to fetch a model's files", () => {
  it("opens that model's files alone, whole or from a position, for an hour", async () => {
    const hive = await hiveWithModel();
    const grant = await hive.client.grantModel({ params: { id: "small" } });
    expect(grant.files).toMatchObject([{ name: "small.gguf", size_bytes: content.length }]);
    const get = (path: string, headers: Record<string, string> = {}, bearer = grant.token) =>
      fetch(`${hive.url}/v1/models/${path}`, { headers: { authorization: `Bearer ${bearer}`, ...headers } });
    const whole = await get("small/files/small.gguf");
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    const rest = await get("small/files/small.gguf", { range: "bytes=99000-" });
    expect([rest.status, rest.headers.get("content-range")]).toEqual([
      206,
      `bytes 99000-${content.length - 1}/${content.length}`,
    ]);
    expect(Buffer.from(await rest.arrayBuffer()).equals(content.subarray(99_000))).toBe(true);
    expect((await get("small/files/small.gguf", { range: "bytes=999999999-" })).status).toBe(416);
    expect((await get("bee-tiny/files/bee-tiny-q8_0.gguf")).status).toBe(401);
    expect((await get("small/files/..%2f..%2fhive.db")).status).toBe(404);
    expect((await get("small/files/small.gguf", {}, `${grant.token}x`)).status).toBe(401);
    const jobs = await fetch(`${hive.url}/v1/jobs`, { headers: { authorization: `Bearer ${grant.token}` } });
    expect(jobs.status).toBe(401);
    expect((await get("small/files/small.gguf", {}, token)).status).toBe(200);
  });

  it("comes with hashes, which are computed once for a model that was only found", async () => {
    const hive = await smallHive();
    mkdirSync(join(hive.home, "models", "found"));
    copyFileSync(join(shippedModels, "bee-tiny", "bee-tiny-q8_0.gguf"), join(hive.home, "models", "found", "m.gguf"));
    const { files } = await hive.client.grantModel({ params: { id: "found" } });
    expect(files[0]?.sha256).toMatch(/^[0-9a-f]{64}$/u);
    expect((await entry(hive, "found"))?.files).toEqual(files);
  });
});

describe("hive.db", () => {
  const record: ModelRecord = {
    id: "a",
    provider: "hub",
    reference: "hf:x/y",
    revision: "c0ffee",
    files: [{ path: "/m/a.gguf", sizeBytes: 5, sha256: "f".repeat(64) }],
    downloadedAt: 1,
    lastUsedAt: null,
    pinned: true,
    aliases: ["b"],
  };

  it("keeps everything over a restart, and its models with it", async () => {
    const home = temporaryFolder();
    const { log } = recordedLog();
    const before = new ModelDatabase(home, log);
    before.save(record);
    before.close();
    const after = new ModelDatabase(home, log);
    expect(after.all()).toEqual(new Map([["a", record]]));
    after.remove("a");
    expect(after.all().size).toBe(0);
    expect(after.isSound()).toBe(true);
    after.close();
  });

  it("that is damaged is put aside, and that of a newer rbee is left alone", () => {
    const home = temporaryFolder();
    const { log, lines } = recordedLog();
    writeFileSync(join(home, "hive.db"), "this is no database, but it is long enough to look at".repeat(100));
    const database = new ModelDatabase(home, log);
    expect(database.all().size).toBe(0);
    expect(lines.at(-1)?.msg).toContain("put aside");
    database.close();
    const raw = new Database(join(home, "hive.db"));
    raw.pragma("user_version = 999");
    raw.close();
    expect(() => new ModelDatabase(home, log).all()).toThrow("newer rbee");
  });
});
