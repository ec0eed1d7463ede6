import type { WorkerTelemetry } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { heartbeat, newHiveId } from "#lib/server/testing/index.ts";
import { fleetModels } from "./fleet.ts";
import type { HiveState } from "./registry.ts";

describe("the models of the household", () => {
  it("name a server of others once, though two of one name run on its machine", () => {
    const hiveId = newHiveId();
    const external = (id: string, name: string): WorkerTelemetry => ({
      ...{ worker_id: id, model: "wasp", engine: "external", backend: null, device: null, state: "ready" },
      ...{ pid: null, load_progress: null, context_length: null, slots_total: null, slots_busy: null, queued: null },
      ...{ uptime_s: 1, tokens_per_s: null, idle_s: null, stops_in_s: null, restarts: 0, error: null },
      ...{ rss_mb: null, vram_mb: null, cpu_pct: null },
      external: { kind: "vllm", name, address: null, model: "wasp" },
    });
    const workers = [external("worker:1", "vLLM"), external("worker:2", "vLLM"), external("worker:3", "workshop")];
    const hive = { hiveId, health: "healthy", capabilities: null, heartbeat: heartbeat(hiveId, { workers }) };
    const [model] = fleetModels([hive as HiveState], () => ({ aliases: [], pinned: false }));
    expect(model?.external?.map(({ name }) => name)).toEqual(["vLLM", "workshop"]);
  });
});
