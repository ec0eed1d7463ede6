import { defaultSlots, estimateMemory, poolOf, type Device, type WorkerTelemetry } from "@rbee/contract";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { DeviceMemory, HiveMemory } from "./fit.ts";

/** What a hive has told, as far as it matters here. */
export type SeenHive = Pick<HiveState, "hiveId" | "name" | "health" | "capabilities" | "heartbeat">;

/** Memory in MB that a worker holds on its device; what cannot be measured is estimated from its model. */
function heldMb(worker: WorkerTelemetry, { capabilities }: SeenHive): number {
  const measured = worker.backend === "cpu" ? worker.rss_mb : worker.vram_mb;
  if (measured !== null) return measured;
  const model = capabilities?.models.find(({ id }) => id === worker.model);
  // What servers of others hold is not known, and would not become free.
  if (model === undefined || worker.backend === null) return 0;
  if (model.memory === null) return model.size_bytes / 1024 / 1024;
  return estimateMemory(
    { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory },
    { backend: worker.backend, slots: worker.slots_total ?? defaultSlots },
  ).device_mb;
}

function deviceMemory(device: Device, hive: SeenHive): DeviceMemory {
  const { id, backend } = device;
  const { capabilities, heartbeat } = hive;
  const pool = poolOf(device);
  const sharesRam = pool === "ram";
  const node = heartbeat?.node;
  const gpu = node?.gpus.find((each) => each.id === pool);
  const total = sharesRam ? (node?.ram_total_mb ?? null) : (gpu?.vram_total_mb ?? device.vram_total_mb);
  const used = sharesRam ? node?.ram_used_mb : gpu?.vram_used_mb;
  if (total === null || typeof used !== "number") return { id, backend, sharesRam, freeMb: null, unloadedMb: null };
  const poolOfWorker = (worker: WorkerTelemetry) => {
    const on = capabilities?.devices.find((each) => each.id === worker.device);
    return on === undefined ? worker.device : poolOf(on);
  };
  const held = (heartbeat?.workers ?? [])
    .filter((worker) => poolOfWorker(worker) === pool)
    .reduce((sum, worker) => sum + heldMb(worker, hive), 0);
  const free = Math.max(0, total - used);
  // What a hive may take in all is less than the machine has where somebody said so.
  const limit = sharesRam ? (capabilities?.memory_limit_mb ?? total) : total;
  return {
    ...{ id, backend, sharesRam },
    freeMb: Math.max(0, Math.min(free, limit - held)),
    unloadedMb: Math.min(total, limit, free + held),
  };
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
    slots: capabilities?.worker_slots ?? defaultSlots,
  };
}
