import { readFileSync } from "node:fs";
import type { ModelSettingsUpdate } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";
import { wholeJob } from "../support/job-stream.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;
const params = { id: "bee-tiny" };

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
});
afterAll(() => household.stop());

/** Memory that a process holds now, in MB. */
const heldMb = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Starts a worker with these settings, lets it answer, and gives what it said and what it held. */
async function runWith(settings: ModelSettingsUpdate): Promise<{ text: string; mb: number; promisedMb: number }> {
  const { admin } = household;
  await admin.updateModelSettings({ params, body: { flash_attention: null, kv_type: null, ...settings } });
  const { job_id } = await admin.startJob({ body: { operation: "worker_spawn", model: "bee-tiny", slots: 16 } });
  const result = (await wholeJob(admin, job_id)).at(-1);
  if (result?.type !== "result" || result.status !== "succeeded") throw new Error(JSON.stringify(result));
  const id = String(result.data?.["worker_id"]);
  const worker = await waitFor("the worker in a heartbeat", async () =>
    (await admin.listWorkers()).data.find((each) => each.worker_id === id && each.slots_total === 16),
  );
  const answer = await admin.chat({
    body: {
      model: "bee-tiny",
      temperature: 0,
      max_tokens: 12,
      messages: [{ role: "user", content: "What is a bee?" }],
    },
    timeoutMs: 60_000,
  });
  const mb = heldMb(worker.pid ?? 0);
  await admin.stopWorker({ params: { id: worker.hive_id, worker_id: id }, timeoutMs: 60_000 });
  await waitFor("its end", async () => (await admin.listWorkers()).data.every(({ worker_id }) => worker_id !== id));
  return { text: String(answer.choices[0]?.message.content), mb, promisedMb: worker.need_ram_mb ?? 0 };
}

describe.runIf(process.platform === "linux")("the attention cache of a worker", () => {
  it("takes less memory in a smaller type, as it is promised, and the model still answers", async () => {
    const full = await runWith({});
    const half = await runWith({ kv_type: "q8_0", flash_attention: true });
    const quarter = await runWith({ kv_type: "q4_0" });
    const figures = JSON.stringify({ full, half, quarter });
    // 16 slots of 1024 tokens are 80 MB of f16, 42.5 of q8_0 and 22.5 of q4_0.
    expect(full.mb - half.mb, figures).toBeGreaterThan(25);
    expect(half.mb - quarter.mb, figures).toBeGreaterThan(10);
    // What is promised is that and a fifth, each in whole MB.
    expect(Math.abs(full.promisedMb - half.promisedMb - 45), figures).toBeLessThan(2);
    expect(Math.abs(half.promisedMb - quarter.promisedMb - 24), figures).toBeLessThan(2);
    for (const { text } of [full, half, quarter]) expect(text.length, figures).toBeGreaterThan(5);
  }, 120_000);

  it("works without flash attention, but not in a smaller type", async () => {
    const { text } = await runWith({ flash_attention: false });
    expect(text.length).toBeGreaterThan(5);
    await expect(household.admin.updateModelSettings({ params, body: { kv_type: "q8_0" } })).rejects.toMatchObject({
      code: "invalid_request",
      status: 400,
      param: "flash_attention",
    });
  }, 60_000);
});

describe("the context of a worker for which nobody named one", () => {
  it("is told beforehand with its reason, and is what the worker then has", async () => {
    const { admin } = household;
    const { hives } = await admin.explainModel({ params, query: {} });
    expect(hives[0]?.context).toMatchObject({ tokens: 1_024, why: "trained" });
    await runWith({ context_length: 256 });
    const told = await admin.explainModel({ params, query: {} });
    expect(told.hives[0]?.context).toMatchObject({ tokens: 256, why: "set" });
  }, 60_000);
});
