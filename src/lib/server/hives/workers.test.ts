import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hiveClient, RbeeError, type WorkerTelemetry } from "@rbee/contract";
import { describe, expect, it, onTestFinished } from "vitest";
import { heartbeat, newHiveId, person } from "#lib/server/testing/index.ts";
import type { HiveState } from "./registry.ts";
import { createWorkers } from "./workers.ts";

const worker = (change: Partial<WorkerTelemetry> = {}): WorkerTelemetry => ({
  ...{ worker_id: "worker:1", model: "bee", engine: "node-llama-cpp", backend: "cpu", device: "cpu", state: "ready" },
  ...{ pid: 1, cpu_pct: 0, rss_mb: 1, vram_mb: null, uptime_s: 1, load_progress: null, slots_total: 1, slots_busy: 0 },
  ...{ tokens_per_s: 0, idle_s: 0, stops_in_s: null, queued: 0, restarts: 0, error: null, context_length: null },
  ...change,
});

interface Machine {
  readonly name: string;
  readonly workers?: WorkerTelemetry[];
  /** The logs that its hive keeps, by worker. */
  readonly logs?: Record<string, string>;
  readonly health?: HiveState["health"];
}

/** Hives that answer for their logs over real HTTP. */
async function household(...machines: Machine[]) {
  const hives = await Promise.all(
    machines.map(async ({ name, workers = [], logs = {}, health = "healthy" }) => {
      const server = createServer((request, response) => {
        const id = decodeURIComponent(/^\/v1\/workers\/([^/]+)\/logs/u.exec(request.url ?? "")?.[1] ?? "");
        const log = logs[id];
        const { error } = new RbeeError("worker_not_found", `No log of ${id}.`).toBody();
        if (log === undefined)
          response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ error }));
        else response.writeHead(200, { "content-type": "text/plain" }).end(log);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      onTestFinished(() => {
        server.closeAllConnections();
        server.close();
      });
      const hiveId = newHiveId();
      const state = { hiveId, name, health, heartbeat: heartbeat(hiveId, { workers }) } as unknown as HiveState;
      return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    }),
  );
  return createWorkers({
    registry: { all: () => hives.map(({ state }) => state) },
    contact: {
      client: (hive) =>
        hiveClient({ baseUrl: hives.find(({ state }) => state === hive)?.url ?? "", token: "t", name: hive.name }),
    },
  });
}

const alive = new AbortController().signal;
const query = { lines: 10, follow: false };

describe("the workers of the household", () => {
  it("tell an administrator why they failed, and a member only that they did", async () => {
    const error = { message: "Cannot open /home/ada/x.gguf", type: "x", param: null, code: "worker_spawn_failed" };
    const workers = await household({ name: "attic", workers: [worker({ state: "failed", error })] });
    expect(workers.list(person("admin"))).toMatchObject([{ hive: "attic", error: { message: error.message } }]);
    const [seen] = workers.list(person("member"));
    expect(seen).toMatchObject({ state: "failed", error: { code: "worker_spawn_failed", message: "bee failed." } });
    expect(JSON.stringify(seen)).not.toContain("/home/ada");
  });

  it("are read from the hive that has them, and one that ended from the hive that keeps its log", async () => {
    const workers = await household(
      { name: "attic", workers: [worker()], logs: { "worker:1": "running\n" } },
      { name: "cellar", logs: { "worker:2": "ended long ago\n" } },
    );
    const read = async (id: string) => new Response(await workers.logs(id, query, alive)).text();
    expect([await read("worker:1"), await read("worker:2")]).toEqual(["running\n", "ended long ago\n"]);
  });

  it("that nobody knows are not found, and the machines that could not be asked are named", async () => {
    const asked = await household({ name: "attic" }, { name: "cellar", health: "down" });
    await expect(asked.logs("worker:9", query, alive)).rejects.toMatchObject({
      code: "worker_not_found",
      suggestion: "It may be on cellar, which could not be asked.",
    });
    await expect(asked.check("worker:9")).rejects.toMatchObject({ code: "worker_not_found" });
  });
});
