import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeHub } from "../../../packages/hive/src/testing/fake-hub.ts";
import {
  errorAnswer,
  expectCommandFault,
  expectFault,
  expectJobFault,
  failureOf,
  type Fault,
} from "../../support/fault.ts";
import { joinedHive, type TestHive } from "../../support/hive.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { followJob } from "../../support/job-stream.ts";
import { projectRoot } from "../../support/process.ts";
import { whyNoOwnMounts, withCard, withMemory, withModelsDisk, type FakeMachine } from "../../support/small-machine.ts";

let household: Household;
let key: string;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  key = await household.key();
});
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop();
  await household.stop();
});

/** A hive of its own on a machine of its own; only one of them is ever there, so that nobody else can help. */
async function hiveOn(name: string, { through, env, remove }: FakeMachine): Promise<TestHive> {
  const hive = await joinedHive(household, name, env, { through });
  stops.push(remove, () => hive.stop());
  return hive;
}
async function leave(hive: TestHive): Promise<void> {
  await hive.stop();
  const found = (await household.fleet()).hives.find(({ name }) => name === hive.name);
  if (found !== undefined) await household.admin.removeHive({ params: { id: found.hive_id } });
}

const chat = () =>
  fetch(`${household.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "bee-tiny", messages: [{ role: "user", content: "Hello" }] }),
  });
const megabytes = expect.any(Number) as number;
const skipped = whyNoOwnMounts === null ? "" : ` (skipped: ${whyNoOwnMounts})`;

describe.skipIf(whyNoOwnMounts !== null)(`a machine whose disk is small${skipped}`, () => {
  let hub: FakeHub;
  const reference = "hf:bees/tiny:Q8_0";
  beforeAll(async () => {
    hub = await FakeHub.start();
    hub.add("bees/tiny", "tiny-bee-Q8_0.gguf", readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf")));
    stops.push(() => hub.close());
  });

  it("insufficient_disk: refuses a model that does not fit before it asks for a byte", async () => {
    const through = withModelsDisk(16);
    const hive = await joinedHive(household, "small-disk", { HF_ENDPOINT: hub.url }, { through });
    stops.push(() => hive.stop());
    const fault: Fault = {
      code: "insufficient_disk",
      message: /needs 516 MB of disk space on this machine, and \d+ MB are free/u,
      suggestion: /Delete a model.*take a smaller one/u,
      details: { need_mb: 516, have_mb: megabytes },
    };
    await expectJobFault(household, ["model", "pull", reference, "--hive", "small-disk"], fault);
    expect(hub.fileRequests).toEqual([]);
    await leave(hive);
  });

  it("insufficient_disk: ends a download when something else fills the disk, and gives its space back", async () => {
    const env = { HF_ENDPOINT: hub.url, RBEE_DISK_MARGIN: "0" };
    const hive = await joinedHive(household, "filling-disk", env, { through: withModelsDisk(8) });
    stops.push(() => hive.stop());
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 25 };
    const models = join("/proc", String(hive.process.pid), "root", hive.home, "models");
    const { job_id } = await household.admin.startJob({
      body: { operation: "model_download", model: reference, hive: "filling-disk" },
    });
    let filled = false;
    for await (const event of followJob(household.admin, job_id)) {
      if (event.type === "progress" && event.done > 0 && !filled) {
        filled = true;
        const { bavail, bsize } = statfsSync(models);
        execFileSync("fallocate", ["-l", String(bavail * bsize - 200_000), join(models, "other")]);
      }
      if (event.type !== "result") continue;
      expect(event.status).toBe("failed");
      expectFault(event.error, {
        code: "insufficient_disk",
        message: /needs \d+ MB of disk space/u,
        suggestion: /Delete a model/u,
        details: { need_mb: megabytes, have_mb: 0 },
      });
    }
    expect(filled).toBe(true);
    expect(readdirSync(join(models, ".downloads"))).toEqual([]);
    await leave(hive);
  });
});

describe.skipIf(whyNoOwnMounts !== null)(`a machine with little memory${skipped}`, () => {
  it("insufficient_ram: starts no worker that does not fit, and says what it needs and has", async () => {
    const hive = await hiveOn("little-memory", withMemory({ totalMb: 1024, freeMb: 100 }));
    const fault: Fault = {
      code: "insufficient_ram",
      message: /\d+ MB/u,
      suggestion: /smaller model/u,
      details: { need_mb: megabytes, have_mb: 100 },
    };
    const { status, error } = await errorAnswer(await chat());
    expect(status).toBe(507);
    expect(Number(expectFault(error, fault).details?.["need_mb"])).toBeGreaterThan(150);
    await expectCommandFault(household, ["infer", "--model", "bee-tiny", "--prompt", "hello"], fault);
    await expectJobFault(household, ["worker", "spawn", "--model", "bee-tiny"], fault);
    expectFault(await failureOf(hive.client().spawnWorker({ body: { model: "bee-tiny" } })), fault);
    expect((await hive.client().listWorkers()).data).toEqual([]);
    await leave(hive);
  });
});

describe.skipIf(whyNoOwnMounts !== null)(`a machine with a card of 2 GB${skipped}`, () => {
  const spawnOn = (backend: string) => ["worker", "spawn", "--model", "bee-tiny", "--backend", backend];

  it("backend_unavailable: says what there is when the engine has no build for the card, and does not take the CPU", async () => {
    const card = withCard({ name: "NVIDIA GeForce GT 1030", totalMb: 2048, usedMb: 100, engine: false });
    const hive = await hiveOn("old-card", card);
    const fault: Fault = {
      code: "backend_unavailable",
      message: /cannot run the backend cuda/u,
      suggestion: /\bcpu\b/u,
      param: "backend",
      details: { requested: "cuda", available_backends: ["cpu"], available_devices: ["cpu"] },
    };
    expectFault(await failureOf(hive.client().spawnWorker({ body: { model: "bee-tiny", backend: "cuda" } })), fault);
    await expectJobFault(household, spawnOn("cuda"), { ...fault, message: /cannot run on cuda: .* has no cuda/u });
    await expectJobFault(household, ["worker", "spawn", "--model", "bee-tiny", "--device", "cuda:0"], {
      ...fault,
      message: /cannot run on cuda:0: .* has no cuda:0/u,
      param: "device",
      details: { requested: "cuda:0", available_devices: ["cpu"] },
    });
    expect((await hive.client().listWorkers()).data).toEqual([]);
    // The card itself is seen and told all the same.
    const { hives } = await household.fleet();
    expect(hives.find(({ name }) => name === "old-card")?.node?.gpus).toMatchObject([
      { id: "cuda:0", vram_total_mb: 2048 },
    ]);
    await leave(hive);
  });

  it("insufficient_vram: says what it needs and has when the card is full", async () => {
    const card = withCard({ name: "NVIDIA GeForce GT 1030", totalMb: 2048, usedMb: 1900, engine: true });
    const hive = await hiveOn("full-card", card);
    const fault: Fault = {
      code: "insufficient_vram",
      message: /\d+ MB/u,
      suggestion: /smaller model/u,
      details: { need_mb: megabytes, have_mb: 148 },
    };
    expectFault(await failureOf(hive.client().spawnWorker({ body: { model: "bee-tiny", backend: "cuda" } })), fault);
    await expectJobFault(household, spawnOn("cuda"), fault);
    expect((await hive.client().listWorkers()).data).toEqual([]);
    await leave(hive);
  });

  it("backend_unavailable: a worker whose engine finds no card says so and does not take the CPU", async () => {
    const card = withCard({ name: "NVIDIA GeForce GT 1030", totalMb: 2048, usedMb: 100, engine: true });
    const hive = await hiveOn("broken-card", card);
    await expectJobFault(household, spawnOn("cuda"), {
      code: "backend_unavailable",
      message: /The engine cannot use the cuda backend/u,
      suggestion: /Choose one of those/u,
      details: { requested: "cuda", available: expect.arrayContaining(["cpu"]) as unknown },
    });
    const { data } = await hive.client().listWorkers();
    expect(data).toMatchObject([{ state: "failed", backend: "cuda", error: { code: "backend_unavailable" } }]);
    await leave(hive);
  });
});
