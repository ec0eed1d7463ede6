import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../testing/eventually.ts";
import { FakeHub } from "../../testing/fake-hub.ts";
import { smallModel } from "../../testing/gguf-model.ts";
import { performJob, startJob } from "../../testing/hive-job.ts";
import { hiveProcess } from "../../testing/hive-process.ts";

const operation = "model_download" as const;
const repository = "ada/small-GGUF";
const model = `hf:${repository}`;
const content = smallModel(3 * 1024 * 1024);

async function hubWithModel() {
  const hub = await FakeHub.start();
  onTestFinished(() => hub.close());
  return { hub, sha256: hub.add(repository, "small.gguf", content) };
}

/** A file system of its own with so many bytes; null where this user may not mount one. */
function smallDisk(bytes: number): string | null {
  const folder = mkdtempSync(join(tmpdir(), "rbee-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
  onTestFinished(() => {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

describe("a hive process", { timeout: 40_000 }, () => {
  it("that is killed in the middle of a download goes on after its next start, and verifies the whole", async () => {
    const { hub, sha256 } = await hubWithModel();
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 20 };
    const env = { HF_ENDPOINT: hub.url };
    const first = hiveProcess({ env });
    const job = await startJob(await first.client(), { operation, model });
    job.result.catch(() => {});
    const part = join(first.home, "models", ".downloads", `${sha256}.part`);
    await eventually("a third is on disk", () => {
      const size = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
      return size > content.length / 3;
    });
    first.child.kill("SIGKILL");
    await first.ended;
    const { size } = statSync(part);
    hub.pace = { chunkBytes: 1024 * 1024, delayMs: 0 };
    const second = hiveProcess({ home: first.home, env });
    const { result, messages } = await performJob(await second.client(), { operation, model });
    expect(result.status).toBe("succeeded");
    expect(messages().join("\n")).toContain("Going on with small.gguf");
    expect(hub.fileRequests.at(-1)?.range).toBe(`bytes=${size}-`);
    expect(readFileSync(join(first.home, "models", "small", "small.gguf")).equals(content)).toBe(true);
  });

  it("fetches a model from its neighbour, verified, and from the hub when the neighbour is gone", async () => {
    const { hub } = await hubWithModel();
    const env = { HF_ENDPOINT: hub.url };
    const [attic, cellar] = [hiveProcess({ env }), hiveProcess({ env })];
    const [atticClient, cellarClient] = [await attic.client(), await cellar.client()];
    await performJob(atticClient, { operation, model });
    const { model: id, token, files } = await atticClient.grantModel({ params: { id: "small" } });
    const url = /http:\/\/[^/]+/u.exec(atticAddress(attic.output()))?.[0] ?? "";
    const before = hub.fileRequests.length;
    const source = { name: "attic", url, model: id, token, files };
    const { result, messages } = await performJob(cellarClient, { operation, model, sources: [source] });
    expect(result).toMatchObject({ status: "succeeded", data: { model: "small", from: ["attic"] } });
    expect(messages().join("\n")).toContain("from attic");
    expect(hub.fileRequests.length).toBe(before);
    expect(readFileSync(join(cellar.home, "models", "small", "small.gguf")).equals(content)).toBe(true);
    const listed = (await cellarClient.listModels()).data.find((one) => one.id === "small");
    expect(listed).toMatchObject({ provider: "hive", reference: model });

    await performJob(cellarClient, { operation: "model_delete", model: "small" });
    attic.child.kill("SIGKILL");
    await attic.ended;
    const again = await performJob(cellarClient, { operation, model, sources: [source] });
    expect(again.result).toMatchObject({ status: "succeeded", data: { from: [new URL(hub.url).host] } });
    expect(again.messages().join("\n")).toContain("attic does not deliver");
    const everything = JSON.stringify(again.events) + readFileSync(join(cellar.home, "logs", "hive.log"), "utf8");
    expect(everything).not.toContain(token);
  });

  it("fetches from its neighbour also when the hub cannot be reached, and copies what no hub has", async () => {
    const { hub } = await hubWithModel();
    const attic = hiveProcess({ env: { HF_ENDPOINT: hub.url } });
    const cellar = hiveProcess({ env: { HF_ENDPOINT: "http://127.0.0.1:9" } });
    const [atticClient, cellarClient] = [await attic.client(), await cellar.client()];
    await performJob(atticClient, { operation, model });
    const url = atticAddress(attic.output());
    const sourceOf = async (id: string) => {
      const { token, files } = await atticClient.grantModel({ params: { id } });
      return { name: "attic", url, model: id, token, files };
    };
    const offline = await performJob(cellarClient, { operation, model, sources: [await sourceOf("small")] });
    expect(offline.result).toMatchObject({ status: "succeeded", data: { model: "small", from: ["attic"] } });
    const copied = await performJob(cellarClient, {
      operation,
      model: "bee-tiny",
      id: "bee-copy",
      sources: [await sourceOf("bee-tiny")],
    });
    expect(copied.result).toMatchObject({ status: "succeeded", data: { model: "bee-copy" } });
    const { worker_id } = await cellarClient.spawnWorker({ body: { model: "bee-copy" } });
    const worker = await cellarClient.getWorker({ params: { id: worker_id }, query: { wait_ms: 20_000 } });
    expect(worker.state).toBe("ready");
  });

  it("on a disk that fills up ends the download with both figures, and gives the space back", async (test) => {
    const home = smallDisk(2 * 1024 * 1024 + content.length);
    if (home === null) {
      test.skip("mounting a small file system needs root");
      return;
    }
    const { hub } = await hubWithModel();
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 20 };
    const hive = hiveProcess({ home, env: { HF_ENDPOINT: hub.url, RBEE_DISK_MARGIN: "0" } });
    const client = await hive.client();
    const job = await startJob(client, { operation, model });
    await eventually("bytes", () => job.events.some((event) => event.type === "progress" && event.done > 0));
    // Something else takes the room that was there when the download began.
    const { bavail, bsize } = statfsSync(home);
    execFileSync("fallocate", ["-l", String(bavail * bsize - 200_000), join(home, "other")]);
    const result = await job.result;
    expect(result.error).toMatchObject({
      code: "insufficient_disk",
      details: { need_mb: expect.any(Number), have_mb: expect.any(Number) },
    });
    expect(readdirSync(join(home, "models", ".downloads"))).toEqual([]);
  });

  it("refuses a download that does not fit, before a byte has come", async (test) => {
    const home = smallDisk(2 * 1024 * 1024);
    if (home === null) {
      test.skip("mounting a small file system needs root");
      return;
    }
    const { hub } = await hubWithModel();
    const hive = hiveProcess({ home, env: { HF_ENDPOINT: hub.url } });
    const { result } = await performJob(await hive.client(), { operation, model });
    expect(result.error).toMatchObject({ code: "insufficient_disk", details: { need_mb: 516, have_mb: 1 } });
    expect(hub.fileRequests).toEqual([]);
  });
});

/** Where a hive says that it listens. */
function atticAddress(output: string): string {
  const port = / port (\d+)\.$/mu.exec(output)?.[1];
  return `http://127.0.0.1:${port ?? ""}`;
}
