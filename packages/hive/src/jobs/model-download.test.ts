import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { FakeHub } from "../testing/fake-hub.ts";
import { smallModel } from "../testing/gguf-model.ts";
import { HastyClock } from "../testing/hasty-clock.ts";
import { performJob, startJob } from "../testing/hive-job.ts";
import { smallHive, type SmallHive, type SmallHiveOptions } from "../testing/small-hive.ts";

const operation = "model_download" as const;
const repository = "ada/small-GGUF";
const file = "small-Q4_K_M.gguf";
const model = `hf:${repository}:Q4_K_M`;
const bytes = 2 * 1024 * 1024;
const content = smallModel(bytes);

async function hubWith(files: Record<string, Buffer> = { [file]: content }): Promise<FakeHub> {
  const hub = await FakeHub.start();
  onTestFinished(() => hub.close());
  for (const [path, data] of Object.entries(files)) hub.add(repository, path, data);
  return hub;
}

async function hiveAt(hub: FakeHub, options: SmallHiveOptions = {}) {
  const clock = new HastyClock();
  const hive = await smallHive("good", { clock, hubUrl: hub.url, ...options });
  return Object.assign(hive, { clock });
}

const partsOf = (hive: SmallHive) => {
  const folder = join(hive.home, "models", ".downloads");
  return existsSync(folder) ? readdirSync(folder) : [];
};
const pathOf = (hive: SmallHive, id = "small-Q4_K_M", name = file) => join(hive.home, "models", id, name);
const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

describe("downloading a model", () => {
  it("puts it into the catalogue, verified, with where it came from, and it can be started", async () => {
    const hub = await hubWith();
    const hive = await hiveAt(hub);
    const { result, events } = await performJob(hive.client, { operation, model });
    expect(result).toMatchObject({ status: "succeeded", data: { model: "small-Q4_K_M", already: false } });
    expect(readFileSync(pathOf(hive)).equals(content)).toBe(true);
    expect(partsOf(hive)).toEqual([]);
    const last = events.filter((event) => event.type === "progress").at(-1);
    expect(last).toMatchObject({ phase: "downloading", done: content.length, total: content.length, unit: "bytes" });
    const { data } = await hive.client.listModels();
    expect(data.find(({ id }) => id === "small-Q4_K_M")).toMatchObject({
      reference: model,
      revision: hub.commit,
      provider: "hub",
      removable: true,
      state: "ready",
      context_length: 512,
      files: [{ name: file, size_bytes: content.length, sha256: sha256(content) }],
    });
    await expect(hive.client.spawnWorker({ body: { model: "small-Q4_K_M" } })).resolves.toBeDefined();
  });

  it("is done at once when the hive has it already, under whatever name", async () => {
    const hub = await hubWith();
    const hive = await hiveAt(hub);
    await performJob(hive.client, { operation, model });
    const again = await performJob(hive.client, { operation, model: `hf:${repository}/${file}`, id: "other" });
    expect(again.result.data).toMatchObject({ model: "small-Q4_K_M", already: true });
    expect(hub.fileRequests.length).toBe(1);
  });

  it("goes on where the connection was cut", async () => {
    const hub = await hubWith();
    hub.moods.push({ kind: "cut", afterBytes: 700_000 }, { kind: "cut", afterBytes: 300_000 });
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model });
    expect(result.status).toBe("succeeded");
    // What was on its way when the connection broke may be lost with it.
    const starts = hub.fileRequests.map(({ range }) => Number(/\d+/u.exec(range ?? "0")?.[0]));
    expect(starts.length).toBe(3);
    expect(starts[1]).toBeGreaterThan(400_000);
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0);
    expect(readFileSync(pathOf(hive)).equals(content)).toBe(true);
  });

  it("begins anew when the server ignores the range, or the file there has changed meanwhile", async () => {
    const hub = await hubWith();
    hub.moods.push({ kind: "cut", afterBytes: 700_000 }, { kind: "ignore range" });
    const hive = await hiveAt(hub);
    const first = await performJob(hive.client, { operation, model });
    expect(first.result.status).toBe("succeeded");
    expect(first.messages().join("\n")).toContain("does not send files from the middle");

    const changed = smallModel(bytes, 9);
    hub.add(repository, "other-Q8_0.gguf", changed);
    const hash = sha256(changed);
    const folder = join(hive.home, "models", ".downloads");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${hash}.part`), Buffer.alloc(1_000, 5));
    const noted = { server: new URL(hub.url).host, etag: '"of another time"' };
    writeFileSync(join(folder, `${hash}.part.json`), JSON.stringify(noted));
    const second = await performJob(hive.client, { operation, model: `hf:${repository}:Q8_0` });
    expect(second.result.status).toBe("succeeded");
    expect(second.messages().join("\n")).toContain("has changed");
    expect(readFileSync(pathOf(hive, "other-Q8_0", "other-Q8_0.gguf")).equals(changed)).toBe(true);
  });

  it("notices by the hash that what was on disk was not the beginning of that file, and fetches all of it", async () => {
    const hub = await hubWith();
    const hive = await hiveAt(hub);
    const folder = join(hive.home, "models", ".downloads");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${sha256(content)}.part`), Buffer.alloc(500_000, 5));
    const { result, messages } = await performJob(hive.client, { operation, model });
    expect(result.status).toBe("succeeded");
    expect(messages().join("\n")).toContain("its SHA-256 is another one");
    expect(readFileSync(pathOf(hive)).equals(content)).toBe(true);
  });

  it("takes a silent connection for a stalled one and tries again", async () => {
    const hub = await hubWith();
    hub.moods.push({ kind: "stall", afterBytes: 100_000 });
    const hive = await hiveAt(hub, { stallMs: 150 });
    const { result, messages } = await performJob(hive.client, { operation, model });
    expect(result.status).toBe("succeeded");
    expect(messages().join("\n")).toContain("sent nothing for 0.15 s");
    expect(hub.fileRequests[1]?.range).toBe("bytes=100000-");
  });

  it("gives up after six attempts, with waits that double from 100 ms, and keeps what is here", async () => {
    const hub = await hubWith();
    hub.moods.push({ kind: "cut", afterBytes: 50_000 });
    for (let i = 0; i < 9; i += 1) hub.moods.push({ kind: "status", status: 500 });
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model });
    expect(result).toMatchObject({ status: "failed", error: { code: "download_failed" } });
    expect(hub.fileRequests.length).toBe(6);
    expect(hive.clock.slept.length).toBe(5);
    for (const [index, ms] of hive.clock.slept.entries()) {
      expect(ms).toBeGreaterThanOrEqual(50 * 2 ** index);
      expect(ms).toBeLessThanOrEqual(150 * 2 ** index);
    }
    expect(statSync(join(hive.home, "models", ".downloads", `${sha256(content)}.part`)).size).toBe(50_000);
    hub.moods.length = 0;
    const again = await performJob(hive.client, { operation, model });
    expect(again.result.status).toBe("succeeded");
    expect(hub.fileRequests.at(-1)?.range).toBe("bytes=50000-");
  });

  it("waits as long as a hub asks that is asked too much", async () => {
    const hub = await hubWith();
    hub.listingMoods.push({ kind: "status", status: 429, headers: { "retry-after": "3" } });
    hub.moods.push({ kind: "status", status: 429, headers: { "retry-after": "7" } });
    const hive = await hiveAt(hub);
    expect((await performJob(hive.client, { operation, model })).result.status).toBe("succeeded");
    expect(hive.clock.slept).toEqual([3_000, 7_000]);
  });

  it("refuses a file whose bytes are not the announced ones, after asking twice, and keeps nothing of it", async () => {
    const hub = await hubWith();
    hub.lieAbout(repository, file);
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model });
    expect(result).toMatchObject({
      status: "failed",
      error: { code: "checksum_mismatch", details: { expected: "0".repeat(64), found: sha256(content) } },
    });
    expect(hub.fileRequests.length).toBe(2);
    expect(statSync(join(hive.home, "models", ".downloads", `${"0".repeat(64)}.part`)).size).toBe(0);
    expect(existsSync(pathOf(hive))).toBe(false);
  });

  it("fetches again what came damaged once", async () => {
    const hub = await hubWith();
    hub.moods.push({ kind: "other bytes" });
    const hive = await hiveAt(hub);
    expect((await performJob(hive.client, { operation, model })).result.status).toBe("succeeded");
    expect(readFileSync(pathOf(hive)).equals(content)).toBe(true);
  });

  it("does not try again what is not there or not allowed, and says what to do", async () => {
    const hub = await hubWith();
    const hive = await hiveAt(hub);
    const refused = async (reference: string) =>
      (await performJob(hive.client, { operation, model: reference })).result.error;
    expect(await refused("hf:ada/none")).toMatchObject({ code: "download_not_found" });
    expect(await refused(`hf:${repository}@v9`)).toMatchObject({ code: "download_not_found" });
    expect(await refused(`hf:${repository}:Q2_K`)).toMatchObject({
      code: "download_not_found",
      suggestion: "It has Q4_K_M.",
    });
    hub.moods.push({ kind: "status", status: 404 });
    expect(await refused(model)).toMatchObject({ code: "download_not_found" });
    hub.token = "hf_of_somebody_else";
    expect(await refused(model)).toMatchObject({
      code: "download_forbidden",
      suggestion: expect.stringContaining("HF_TOKEN"),
    });
    expect(hive.clock.slept).toEqual([]);
  });

  it("shows the hub its token, and nobody else: no other host, no log, no event", async () => {
    const token = "hf_0123456789abcdefghij";
    const [hub, elsewhere] = [await hubWith(), await hubWith()];
    hub.token = token;
    const hive = await hiveAt(hub, { hubToken: token });
    hub.moods.push({ kind: "redirect", to: `${elsewhere.url}/` }, { kind: "status", status: 403 });
    const refused = await performJob(hive.client, { operation, model });
    // Another host without https is not followed at all.
    expect(refused.result.error).toMatchObject({ code: "download_failed", message: expect.stringContaining("https") });
    expect(elsewhere.requests).toEqual([]);
    const forbidden = await performJob(hive.client, { operation, model });
    expect(forbidden.result.error?.code).toBe("download_forbidden");
    const good = await performJob(hive.client, { operation, model });
    expect(good.result.status).toBe("succeeded");
    expect(hub.fileRequests.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true);
    const everything = JSON.stringify([hive.lines, refused.events, forbidden.events, good.events]);
    expect(everything).not.toContain(token.slice(3));
  });

  it("is one download for two who ask at the same time; one may leave, and the other is served", async () => {
    const hub = await hubWith();
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 20 };
    const hive = await hiveAt(hub);
    const first = await startJob(hive.client, { operation, model });
    await eventually("bytes", () => first.events.some((event) => event.type === "progress" && event.done > 0));
    const second = await startJob(hive.client, { operation, model, id: "mine" });
    await eventually("it has joined", () => second.messages().join().includes("follows that download"));
    await hive.client.cancelJob({ params: { id: first.id } });
    expect((await first.result).status).toBe("cancelled");
    hub.pace = { chunkBytes: 1024 * 1024, delayMs: 0 };
    expect(await second.result).toMatchObject({ status: "succeeded", data: { model: "small-Q4_K_M" } });
    expect(second.events.some((event) => event.type === "progress" && event.done === content.length)).toBe(true);
    expect(hub.fileRequests.length).toBe(1);
  });

  it("stops when the last who asked cancels, and leaves no bytes", async () => {
    const hub = await hubWith();
    hub.pace = { chunkBytes: 16 * 1024, delayMs: 20 };
    const hive = await hiveAt(hub);
    const jobs = [await startJob(hive.client, { operation, model })];
    await eventually("bytes", () => partsOf(hive).some((name) => name.endsWith(".part")));
    jobs.push(await startJob(hive.client, { operation, model }));
    await eventually("it has joined", () => jobs[1]?.messages().join().includes("follows that download"));
    for (const { id } of jobs) await hive.client.cancelJob({ params: { id } });
    for (const { result } of jobs) expect((await result).status).toBe("cancelled");
    expect(partsOf(hive)).toEqual([]);
    await eventually("the hub is left alone", () => hub.running === 0);
    // And a new request is a new download.
    hub.pace = { chunkBytes: 1024 * 1024, delayMs: 0 };
    expect((await performJob(hive.client, { operation, model })).result.status).toBe("succeeded");
  });

  it("that is stopped because the hive stops keeps its bytes", async () => {
    const hub = await hubWith();
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 20 };
    const hive = await hiveAt(hub);
    const job = await startJob(hive.client, { operation, model });
    await eventually("bytes", () => job.events.some((event) => event.type === "progress" && event.done > 0));
    await hive.jobs.stop();
    expect((await job.result).status).toBe("cancelled");
    expect(partsOf(hive)).toContain(`${sha256(content)}.part`);
  });

  it("is refused before it begins when the disk has no room for it", async () => {
    const hub = await hubWith();
    const hive = await hiveAt(hub, { marginBytes: 1024 ** 5 });
    const { result } = await performJob(hive.client, { operation, model });
    expect(result.error).toMatchObject({
      code: "insufficient_disk",
      details: { need_mb: expect.any(Number), have_mb: expect.any(Number) },
      suggestion: expect.stringContaining("Delete a model"),
    });
    expect(hub.fileRequests).toEqual([]);
  });

  it("brings all parts of a split model, as one model", async () => {
    const part = (no: number) => smallModel(300_000, no, { "split.count": 3, ...(no === 0 ? {} : { "split.no": no }) });
    const names = [1, 2, 3].map((no) => `big-Q8_0-0000${no}-of-00003.gguf`);
    const hub = await hubWith(Object.fromEntries(names.map((name, index) => [`Q8_0/${name}`, part(index)])));
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model: `hf:${repository}` });
    expect(result).toMatchObject({ status: "succeeded", data: { model: "big-Q8_0" } });
    const listed = (await hive.client.listModels()).data.find(({ id }) => id === "big-Q8_0");
    expect(listed?.files.map(({ name }) => name)).toEqual(names);
    expect(listed).toMatchObject({
      state: "ready",
      size_bytes: [0, 1, 2].reduce((sum, no) => sum + part(no).length, 0),
    });
  });

  it("that is no model in the end is not kept", async () => {
    const hub = await hubWith({ [file]: Buffer.alloc(5_000, 1) });
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model });
    expect(result.error).toMatchObject({ code: "download_failed", message: expect.stringContaining("no model") });
    expect(readdirSync(join(hive.home, "models")).filter((name) => !name.startsWith("."))).toEqual([]);
  });

  it("names every file that fits when several do, and what is wrong with a reference", async () => {
    const hub = await hubWith({ "a-Q4_K_M.gguf": content, "b-Q4_K_M.gguf": content });
    const hive = await hiveAt(hub);
    const { result } = await performJob(hive.client, { operation, model });
    expect(result.error).toMatchObject({
      code: "invalid_request",
      details: { files: ["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"] },
    });
    await expect(startJob(hive.client, { operation, model: "hf:../x" })).rejects.toMatchObject({
      code: "invalid_request",
      param: "model",
    });
  });
});
