import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { estimateMemory, type HiveClient, type HiveModel } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeModel } from "../../bench/model/make.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startHive, type TestHive } from "../support/hive.ts";

const models = temporaryFolder("memory");
let hive: TestHive;
let client: HiveClient;
let known: readonly HiveModel[];

beforeAll(async () => {
  const made = await makeModel(models.path);
  mkdirSync(join(models.path, "bench"));
  renameSync(made, join(models.path, "bench", "model.gguf"));
  hive = await startHive("attic", [], { RBEE_MODEL_PATHS: models.path });
  client = hive.client();
  known = (await client.capabilities({ query: {} })).models;
}, 120_000);
afterAll(async () => {
  await hive.stop();
  models.remove();
});

/** The most memory that a process has held, in MB, as the kernel counted it. */
function peakMb(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) / 1024;
}

describe.runIf(process.platform === "linux")("what a worker is estimated to take", () => {
  it.each([
    ["bee-tiny", 1, 256],
    ["bee-tiny", 4, 1_024],
    ["bench", 1, 2_048],
    ["bench", 4, 4_096],
  ])(
    "is what %s in %i slots of %i tokens took at its peak, within a tenth",
    async (id, slots, contextLength) => {
      const model = known.find((each) => each.id === id);
      if (model === undefined || model.memory === null) throw new Error(`the hive does not offer ${id}`);
      const { ram_mb } = estimateMemory(
        { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory },
        { backend: "cpu", slots, contextLength },
      );
      const { worker_id } = await client.spawnWorker({ body: { model: id, slots, context_length: contextLength } });
      const params = { id: worker_id };
      const worker = await client.getWorker({ params, query: { wait_ms: 30_000 }, timeoutMs: 40_000 });
      // Every slot computes, so that what is touched only then counts too.
      await Promise.all(
        Array.from({ length: slots }, (_, n) =>
          client.chat({
            params,
            body: { model: id, max_tokens: 4, messages: [{ role: "user", content: `${n} `.repeat(100) }] },
            timeoutMs: 60_000,
          }),
        ),
      );
      const took = peakMb(worker.pid ?? 0);
      await client.stopWorker({ params, query: { drain_ms: 0 } });
      const figures = `${ram_mb} MB estimated, ${Math.round(took)} MB taken`;
      expect(ram_mb, figures).toBeGreaterThan(took * 0.9);
      expect(ram_mb, figures).toBeLessThan(took * 1.1);
    },
    120_000,
  );
});
