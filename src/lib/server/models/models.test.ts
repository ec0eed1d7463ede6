import { createServer } from "node:http";
import { once } from "node:events";
import { modelUpdateSchema, RbeeError, type HiveModel, type ModelUpdate } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Db } from "#lib/server/db/index.ts";
import { createHives } from "#lib/server/hives/index.ts";
import { fetchThrough, hiveAgent } from "#lib/server/network/index.ts";
import { createVault } from "#lib/server/secrets/index.ts";
import {
  capabilities,
  eventually,
  heartbeat,
  hiveModel,
  newHiveId,
  newHiveToken,
  person,
  silentLog,
  temporaryDatabase,
} from "#lib/server/testing/index.ts";
import { createModels } from "./models.ts";

/** A small real hive that has these models and keeps what it is told about them. */
async function startHive(models: HiveModel[]) {
  const told: { model: string; change: ModelUpdate }[] = [];
  const state = { models, told, refuses: false, rev: 1 };
  const hiveId = newHiveId();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://hive");
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      if (request.method !== "PATCH") {
        json(200, { ...capabilities(hiveId, state.models), capabilities_rev: String(state.rev) });
        return;
      }
      if (state.refuses) {
        const error = new RbeeError("internal_error", "The disk is full.");
        json(error.status, error.toBody());
        return;
      }
      const model = decodeURIComponent(url.pathname.split("/")[3] ?? "");
      const change = modelUpdateSchema.parse(JSON.parse(body));
      told.push({ model, change });
      state.rev += 1;
      state.models = state.models.map((each) => (each.id === model ? { ...each, ...withoutUndefined(change) } : each));
      const entry = state.models.find(({ id }) => id === model);
      const rest = { state: "ready", problem: null, provider: "hub", downloaded_at: null, last_used_at: null };
      json(200, { ...entry, ...rest });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { hiveId, state, port: typeof address === "object" && address !== null ? address.port : 0 };
}

const withoutUndefined = (change: ModelUpdate): Partial<HiveModel> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));

async function household(models: HiveModel[], options: { db?: Db; clock?: () => number } = {}) {
  const { db = temporaryDatabase(), clock = () => Date.now() } = options;
  const hive = await startHive(models);
  const agent = hiveAgent();
  const hives = createHives({
    db,
    vault: createVault(Buffer.alloc(32)),
    fetch: fetchThrough(agent),
    log: silentLog,
    now: clock,
    discoveryDelayMs: 1e6,
    queen: { version: "0", started_at: 0, household: "Home" },
    requests: () => ({ running: 0, waiting: 0 }),
    jobsRunning: () => 0,
    namesOf: () => ({ aliases: [], pinned: false }),
    advertisedUrl: () => Promise.resolve(null),
    local: undefined,
  });
  const service = createModels({ db, hives, log: silentLog });
  onTestFinished(async () => {
    service.stop();
    await hives.stop();
    await agent.destroy();
  });
  const secret = newHiveToken();
  const { token } = hives.joinTokens.create({ uses: 1, expires_in_s: 60 }, "http://queen");
  const { hiveId, port } = hive;
  const joining = { join_token: token, hive_id: hiveId, hive_token: secret, name: "attic", port };
  await hives.enroll({ ...joining, version: "0", api_version: "v1" }, "127.0.0.1");
  const beat = () => {
    hives.heartbeat(heartbeat(hiveId, { port, capabilities_rev: String(hive.state.rev) }), secret, "127.0.0.1");
  };
  beat();
  await eventually(() => hives.registry.find(hiveId)?.capabilities !== null);
  return { hive, hives, service, beat, db };
}

const admin = person("admin");
const refusedAs = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error instanceof RbeeError ? [error.code, error.param] : error),
  );

describe("what the household decided about a model", () => {
  it("is nothing at first, and then what was changed, also after a restart", async () => {
    const db = temporaryDatabase();
    const { service, hives } = await household([hiveModel("bee")], { db });
    expect(service.settings("bee")).toMatchObject({ slots: null, pinned: false, trained_context_length: 1024 });
    expect(service.spawnOptions("bee")).toEqual({});
    await service.update(admin, "bee", { slots: 2, context_length: 512, idle_stop_s: -1, preload: true });
    await service.update(admin, "bee", { idle_stop_s: null });
    const again = createModels({ db, hives, log: silentLog });
    expect(again.spawnOptions("bee")).toEqual({ slots: 2, context_length: 512 });
    expect(again.preloads()).toEqual(["bee"]);
  });

  it("refuses what no worker could be started with, and says what is possible", async () => {
    const { service } = await household([
      { ...hiveModel("bee"), memory: { ...noFacts, layers: 4 } },
    ]);
    expect(await refusedAs(service.update(admin, "bee", { context_length: 2_048 }))).toEqual([
      "invalid_request",
      "context_length",
    ]);
    expect(await refusedAs(service.update(admin, "bee", { gpu_layers: 6 }))).toEqual(["invalid_request", "gpu_layers"]);
    expect(await refusedAs(service.update(admin, "wasp", { slots: 1 }))).toEqual(["model_not_found", "model"]);
    expect(await refusedAs(service.update(person("member"), "bee", { slots: 1 }))).toEqual(["forbidden", undefined]);
    expect(service.settings("bee")).toMatchObject({ context_length: null, gpu_layers: null });
    const { notes } = await service.update(admin, "bee", { context_length: 2_048, extend_context: true });
    expect(notes).toEqual([expect.stringContaining("1024")]);
  });

  it("refuses an attention cache that the engine would not make, before any worker fails with it", async () => {
    const { service } = await household([{ ...hiveModel("bee"), memory: { ...noFacts, key_length: 48, value_length: 48 } }, hiveModel("wasp")]);
    expect(await refusedAs(service.update(admin, "bee", { kv_type: "q8_0" }))).toEqual(["invalid_request", "kv_type"]);
    await service.update(admin, "wasp", { kv_type: "q8_0" });
    expect(await refusedAs(service.update(admin, "wasp", { flash_attention: false }))).toEqual([
      "invalid_request",
      "flash_attention",
    ]);
    expect(service.spawnOptions("wasp")).toEqual({ kv_type: "q8_0" });
    await service.update(admin, "wasp", { kv_type: null, flash_attention: false });
    expect(service.spawnOptions("wasp")).toEqual({ flash_attention: false });
  });

  it("reaches the hives that have the model, at once or when they come back", async () => {
    const { service, hive, beat, hives } = await household([hiveModel("bee"), hiveModel("wasp")]);
    await service.update(admin, "bee", { pinned: true, aliases: ["helper"] });
    expect(hive.state.told).toEqual([{ model: "bee", change: { pinned: true, aliases: ["helper"] } }]);
    hive.state.refuses = true;
    const { notes } = await service.update(admin, "bee", { pinned: false });
    expect(notes).toEqual(["attic could not be told: The disk is full."]);
    hive.state.refuses = false;
    service.start();
    await eventually(() => hive.state.told.length === 2, 5_000);
    expect(hive.state.models[0]).toMatchObject({ pinned: false, aliases: ["helper"] });
    beat();
    await eventually(() => hives.registry.find(hive.hiveId)?.capabilities?.models[0]?.pinned === false);
  });

  it("keeps what a hive said itself, until somebody decides otherwise", async () => {
    const { service } = await household([{ ...hiveModel("bee"), aliases: ["helper"], pinned: true }]);
    expect(service.settings("helper")).toMatchObject({ model: "bee", aliases: ["helper"], pinned: true });
    await service.update(admin, "helper", { slots: 3 });
    expect(service.settings("bee")).toMatchObject({ aliases: ["helper"], pinned: true, slots: 3 });
  });
});

describe("another name of a model", () => {
  it("means that model everywhere, and cannot be another's", async () => {
    const { service } = await household([hiveModel("bee"), hiveModel("wasp")]);
    await service.update(admin, "bee", { aliases: ["helper", "fast"] });
    expect([service.resolve("helper"), service.resolve("wasp"), service.resolve("hornet")]).toEqual([
      "bee",
      "wasp",
      "hornet",
    ]);
    expect(await refusedAs(service.update(admin, "wasp", { aliases: ["helper"] }))).toEqual([
      "already_exists",
      "aliases",
    ]);
    expect(await refusedAs(service.update(admin, "wasp", { aliases: ["bee"] }))).toEqual(["already_exists", "aliases"]);
    await service.update(admin, "bee", { aliases: ["fast"] });
    await service.update(admin, "wasp", { aliases: ["helper"] });
    expect([service.resolve("helper"), service.aliasesOf("bee")]).toEqual(["wasp", ["fast"]]);
  });

  it("gives way to a model that is really called so", async () => {
    const { service } = await household([{ ...hiveModel("bee"), aliases: ["wasp"] }, hiveModel("wasp")]);
    expect([service.resolve("wasp"), service.aliasesOf("bee")]).toEqual(["wasp", []]);
  });
});

const noFacts = {
  layers: null,
  embedding_length: null,
  feed_forward_length: null,
  vocabulary_size: null,
  cache_values_per_token: null,
  windowed_cache_values_per_token: 0,
  window: null,
  recurrent_values: 0,
};
