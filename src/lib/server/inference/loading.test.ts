import { RbeeError, type HiveClient, type Worker } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { silentLog } from "#lib/server/testing/index.ts";
import { createBreaker } from "./breaker.ts";
import { createFreshWorkers } from "./fleet-view.ts";
import { createLoading } from "./loading.ts";
import type { HiveView } from "./placement.ts";
import { createSpawning } from "./spawning.ts";
import { createTenure } from "./tenure.ts";

const parts = ["attic", "cellar"].map((name) => ({ hive_id: `hive:${name}`, name, device: "cpu", share: 0.5 }));
const worker = (change: Partial<Worker>) =>
  ({
    ...{ worker_id: "worker:1", model: "big", engine: "llama-server", backend: "cpu", device: "cpu", state: "ready" },
    ...{ slots_total: 4, context_length: 1024, error: null, spread: parts },
    ...change,
  }) as Worker;
const cellarDied = {
  ...{ message: "cellar, which computes 50 % of big, is gone.", type: "server_error", code: "worker_crashed" },
  ...{ param: null, details: { helper: "cellar", hive_id: "hive:cellar" } },
};
const failed = worker({ state: "failed", error: cellarDied as Worker["error"] });

/** Attic, on which a worker becomes what is said, and which shares its model with cellar. */
function household() {
  const becomes: Worker[] = [];
  const hive = {
    spawnWorker: () => Promise.resolve(worker({ state: "starting" })),
    getWorker: () => Promise.resolve(becomes.shift() ?? worker({})),
  } as unknown as HiveClient;
  const breaker = createBreaker(() => 0);
  const fresh = createFreshWorkers(() => 0);
  const tenure = createTenure(() => 0);
  const loading = createLoading({
    hive: () => ({ client: hive, name: "attic" }),
    urlBetween: () => Promise.resolve(null),
    spawnOptions: () => ({}),
    log: silentLog,
    ...{ fresh, tenure, breaker },
  });
  const spawning = createSpawning({
    fleet: () => ({ hives: [] }),
    client: () => hive,
    models: { resolve: (model) => model, spawnOptions: () => ({}) },
    refusal: () => new RbeeError("internal_error", "No."),
    ...{ fresh, tenure, breaker, loading },
  });
  const load = () =>
    loading.share("big", {
      ...{ kind: "load", hive: { hiveId: "hive:attic", name: "attic" } as HiveView, backend: "cpu", device: "cpu" },
      ...{ promised: { deviceMb: 0, ramMb: 1 }, evicts: [] },
    });
  const look = () => spawning.look("hive:attic", "worker:1");
  const failures = () => parts.map(({ hive_id }) => breaker.state("big", hive_id)?.failures ?? 0);
  return { becomes, load, look, failures };
}

describe("a model that is spread and does not load because of a helper", () => {
  it("counts against the helper alone, whoever asked for it", async () => {
    const { becomes, load, look, failures } = household();
    becomes.push(failed, failed);
    await expect(load()).rejects.toMatchObject({ code: "worker_crashed" });
    expect(failures()).toEqual([0, 1]);
    await look();
    expect(failures()).toEqual([0, 2]);
  });

  it("is forgiven to the helper when it does load, whoever asked for it", async () => {
    const { becomes, load, look, failures } = household();
    becomes.push(failed);
    await look();
    await load();
    expect(failures()).toEqual([0, 0]);
    becomes.push(failed);
    await look();
    expect(failures()).toEqual([0, 1]);
    await look();
    expect(failures()).toEqual([0, 0]);
  });
});
