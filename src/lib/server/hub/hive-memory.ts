import { defaultSlots, estimateMemory, type Device, type WorkerTelemetry } from "@rbee/contract";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { DeviceMemory, HiveMemory } from "./fit.ts";

/** What a hive has told, as far as it matters here. */
export type SeenHive = Pick<HiveState, "hiveId" | "name" | "health" | "capabilities" | "heartbeat">;

/** Memory in MB that a worker holds on its device; what cannot be measured is estimated from its model. */
function heldMb(worker: WorkerTelemetry, { capabilities }: SeenHive): number {
  const measured = worker.backend === "cpu" ? worker.rss_mb : worker.vram_mb;
  if (measured !== null) return measured;
  const model = capabilities?.models.find(({ id }) => id === worker.model);
  if (model === undefined) return 0;
  if (model.memory === null) return model.size_bytes / 1024 / 1024;
  return estimateMemory(
    { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory },
    { backend: worker.backend, slots: worker.slots_total ?? defaultSlots },
  ).device_mb;
}

function deviceMemory({ id, backend, vram_total_mb }: Device, hive: SeenHive): DeviceMemory {
  const node = hive.heartbeat?.node;
  const gpu = node?.gpus.find((each) => each.id === id);
  // What computes in main memory: the CPU, and GPUs that share it.
  const isShared = backend === "cpu" || backend === "metal";
  const total = isShared ? (node?.ram_total_mb ?? null) : (gpu?.vram_total_mb ?? vram_total_mb);
  const used = isShared ? node?.ram_used_mb : gpu?.vram_used_mb;
  if (total === null || typeof used !== "number") return { id, backend, freeMb: null, unloadedMb: null };
  const workers = (hive.heartbeat?.workers ?? []).filter((worker) => isShared || worker.device === id);
  const held = workers.reduce((sum, worker) => sum + heldMb(worker, hive), 0);
  const freeMb = Math.max(0, total - used);
  return { id, backend, freeMb, unloadedMb: Math.min(total, freeMb + held) };
}

/** What a hive has told of its memory and disk, as the question "does it fit" sees it. */
export function hiveMemory(hive: SeenHive): HiveMemory {
  const { hiveId, name, health, capabilities } = hive;
  const devices = (capabilities?.devices ?? []).filter(({ backend }) => capabilities?.backends.includes(backend));
  return {
    hiveId,
    name,
    health,
    devices: devices.map((device) => deviceMemory(device, hive)),
    diskFreeMb: capabilities?.disk_free_mb ?? null,
  };
}
