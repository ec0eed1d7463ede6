import {
  chooseContext,
  memoryNeed,
  memoryQuestion,
  poolOf,
  RbeeError,
  type Backend,
  type ContextChoice,
  type Device,
  type FreeMemory,
  type MemoryNeed,
  type WorkerSpawn,
} from "@rbee/contract";
import type { LocalModel } from "../models/catalogue.ts";

/** What a worker takes, by the device it runs on. */
export interface Needs {
  /** With the context that was named, or else with the least. */
  least(device: Device): MemoryNeed;
  /** With the context that it gets where so much is free. */
  chosen(device: Device, free: FreeMemory): ContextChoice & { readonly need: MemoryNeed };
}

/** What a worker of this model takes when it is started so. */
export function needsOf(
  { sizeBytes, header }: Pick<LocalModel, "sizeBytes" | "header">,
  request: WorkerSpawn,
  usualSlots: number,
): Needs {
  const model = { sizeBytes, trainedContext: header.contextLength, facts: header.memory };
  const question = (device: Device) => memoryQuestion(device.backend, request, usualSlots);
  const sharesRam = (device: Device) => poolOf(device) === ramPool;
  return {
    least: (device) => memoryNeed(model, question(device), sharesRam(device)),
    chosen: (device, free) => chooseContext(model, question(device), free, sharesRam(device)),
  };
}

const ramPool = "ram";

/** What is free on the machine now. Unknown is null, and is not held against a worker. */
export interface MachineMemory {
  readonly ramFreeMb: number | null;
  /** By device id; devices that use main memory are not in it. */
  readonly vramFreeMb: ReadonlyMap<string, number | null>;
}

export interface Machine {
  readonly backends: readonly Backend[];
  readonly devices: readonly Device[];
  readonly memory: MachineMemory;
}

export interface Place {
  readonly backend: Backend;
  readonly device: string;
  /** Whose memory it takes beside main memory: a device's id, or `ram` for none. */
  readonly pool: string;
  readonly need: MemoryNeed;
}

export interface Placement extends Place {
  /** Context of each slot. */
  readonly context: ContextChoice;
}

/** The machine as an engine sees it that computes with other backends than our own worker does. */
export function drivenBy(backends: readonly Backend[], machine: Machine): Machine {
  const present = backends.filter((backend) => machine.devices.some((device) => device.backend === backend));
  return { ...machine, backends: present };
}

const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];

/** The devices that fit what was asked for, the best first. */
function candidates(request: Pick<WorkerSpawn, "backend" | "device">, machine: Machine): Device[] {
  const usable = machine.devices.filter(({ backend }) => machine.backends.includes(backend));
  const available = {
    available_backends: machine.backends,
    available_devices: usable.map(({ id }) => id),
  };
  if (request.backend !== undefined && !machine.backends.includes(request.backend))
    throw new RbeeError("backend_unavailable", `This hive cannot run the backend ${request.backend}.`, {
      param: "backend",
      details: { requested: request.backend, ...available },
      suggestion: `Choose one of ${machine.backends.join(", ")}.`,
    });
  if (request.device !== undefined && !usable.some(({ id }) => id === request.device))
    throw new RbeeError("backend_unavailable", `This hive cannot use a device ${request.device}.`, {
      param: "device",
      details: { requested: request.device, ...available },
      suggestion: `Choose one of ${usable.map(({ id }) => id).join(", ")}.`,
    });
  const fitting = usable.filter(
    ({ id, backend }) =>
      (request.device === undefined || id === request.device) &&
      (request.backend === undefined || backend === request.backend),
  );
  if (fitting.length === 0)
    throw new RbeeError(
      "backend_unavailable",
      `The device ${request.device ?? ""} does not belong to the backend ${request.backend ?? ""}.`,
      { param: "device", details: { requested: request.device, ...available } },
    );
  const free = ({ id }: Device) => machine.memory.vramFreeMb.get(id) ?? 0;
  return fitting.sort((a, b) => preference.indexOf(a.backend) - preference.indexOf(b.backend) || free(b) - free(a));
}

interface Shortage {
  readonly code: "insufficient_ram" | "insufficient_vram";
  readonly needMb: number;
  readonly haveMb: number;
}

/** What a device lacks for a worker; undefined when it has room. */
function shortageOn(device: Device, need: MemoryNeed, { ramFreeMb, vramFreeMb }: MachineMemory): Shortage | undefined {
  const vram = vramFreeMb.get(poolOf(device)) ?? null;
  const short = (code: Shortage["code"], needMb: number, freeMb: number | null): Shortage | undefined =>
    freeMb === null || freeMb >= needMb ? undefined : { code, needMb, haveMb: Math.max(0, Math.floor(freeMb)) };
  return short("insufficient_vram", need.device_mb, vram) ?? short("insufficient_ram", need.ram_mb, ramFreeMb);
}

/**
 * Where a worker goes and how much context it gets there, where nobody named that.
 * @throws {RbeeError} as `placeOn`.
 */
export function placeWorker(request: WorkerSpawn, needs: Needs, machine: Machine): Placement {
  const place = placeOn(request, needs.least, machine);
  const device = machine.devices.find(({ id }) => id === place.device);
  if (device === undefined) throw new RbeeError("backend_unavailable", "This hive has no device.");
  const { ramFreeMb, vramFreeMb } = machine.memory;
  const free = { ramMb: ramFreeMb, deviceMb: vramFreeMb.get(place.pool) ?? null };
  const { need, tokens, why } = needs.chosen(device, free);
  return { ...place, need, context: { tokens, why } };
}

/**
 * Where something that takes memory goes: exactly the backend and device asked for, or, as far as nothing was, the best
 * that has room.
 * @param needOn what it takes on a device.
 * @throws {RbeeError} `backend_unavailable`, `insufficient_ram`, `insufficient_vram`.
 */
export function placeOn(
  request: Pick<WorkerSpawn, "model" | "backend" | "device">,
  needOn: (device: Device) => MemoryNeed,
  machine: Machine,
): Place {
  const devices = candidates(request, machine);
  const fit = devices.find((device) => shortageOn(device, needOn(device), machine.memory) === undefined);
  if (fit !== undefined) return { backend: fit.backend, device: fit.id, pool: poolOf(fit), need: needOn(fit) };
  const [best] = devices;
  const shortage = best === undefined ? undefined : shortageOn(best, needOn(best), machine.memory);
  if (best === undefined || shortage === undefined)
    throw new RbeeError("backend_unavailable", "This hive has no device.");
  const { code, needMb, haveMb } = shortage;
  const kind = code === "insufficient_ram" ? "memory" : "GPU memory";
  throw new RbeeError(
    code,
    `${request.model} needs about ${needMb} MB of ${kind} on ${best.id}, and ${haveMb} MB are free.`,
    {
      details: { need_mb: needMb, have_mb: haveMb, device: best.id },
      suggestion: "Stop another worker, ask for a shorter context or fewer slots, or take a smaller model.",
    },
  );
}

/** A worker that was promised memory. */
export interface Promised {
  readonly pool: string;
  readonly need: MemoryNeed;
  /** Whether the system does not count yet what it will take. */
  readonly takesMemory: boolean;
}

/**
 * What is left for another worker: less what workers that are still loading were promised, and not more than is left
 * of what all workers together may take.
 * @param limitMb of main memory; undefined when nobody limited it.
 */
export function afterPromises(
  memory: MachineMemory,
  workers: readonly Promised[],
  limitMb: number | undefined,
): MachineMemory {
  const vramFreeMb = new Map(memory.vramFreeMb);
  let { ramFreeMb } = memory;
  for (const { takesMemory, pool, need } of workers) {
    if (!takesMemory) continue;
    const vram = vramFreeMb.get(pool);
    if (vram !== undefined && vram !== null) vramFreeMb.set(pool, vram - need.device_mb);
    if (ramFreeMb !== null) ramFreeMb -= need.ram_mb;
  }
  if (limitMb === undefined) return { vramFreeMb, ramFreeMb };
  const left = limitMb - workers.reduce((sum, { need }) => sum + need.ram_mb, 0);
  return { vramFreeMb, ramFreeMb: ramFreeMb === null ? left : Math.min(ramFreeMb, left) };
}
