import { estimateMemory, memorySafety, RbeeError, type Backend, type Device, type WorkerSpawn } from "@rbee/contract";
import type { LocalModel } from "../models/catalogue.ts";

/** Memory that a worker of this model needs on a device of that backend, in MB, head room included. */
export function needOf(
  { sizeBytes, header }: Pick<LocalModel, "sizeBytes" | "header">,
  slots: number,
  contextLength: number | undefined,
  backend: Backend,
): number {
  const { device_mb } = estimateMemory(
    { sizeBytes, trainedContext: header.contextLength, facts: header.memory },
    { backend, slots, contextLength },
  );
  return Math.ceil(device_mb * memorySafety);
}

/** What is free on the machine now. Unknown is null, and is not held against a worker. */
export interface MachineMemory {
  readonly ramFreeMb: number | null;
  /** By device id; devices that share main memory are not in it. */
  readonly vramFreeMb: ReadonlyMap<string, number | null>;
  readonly unifiedDevices: ReadonlySet<string>;
}

export interface Machine {
  readonly backends: readonly Backend[];
  readonly devices: readonly Device[];
  readonly memory: MachineMemory;
}

export interface Placement {
  readonly backend: Backend;
  readonly device: string;
  /** What it needs there, in MB. */
  readonly needMb: number;
}

const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];

/** The devices that fit what was asked for, the best first. */
function candidates(request: WorkerSpawn, machine: Machine): Device[] {
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

/** How much a device has, and which error it is when that does not do. */
function memoryOf(
  device: Device,
  memory: MachineMemory,
): { freeMb: number | null; code: "insufficient_ram" | "insufficient_vram" } {
  if (device.backend === "cpu" || memory.unifiedDevices.has(device.id))
    return { freeMb: memory.ramFreeMb, code: "insufficient_ram" };
  return { freeMb: memory.vramFreeMb.get(device.id) ?? null, code: "insufficient_vram" };
}

/**
 * Where a worker goes: exactly the backend and device asked for, or, as far as nothing was, the best that has room.
 * @param need MB that it takes on a device of a backend.
 * @throws {RbeeError} `backend_unavailable`, `insufficient_ram`, `insufficient_vram`.
 */
export function placeWorker(request: WorkerSpawn, need: (backend: Backend) => number, machine: Machine): Placement {
  const devices = candidates(request, machine);
  const fit = devices.find((device) => {
    const { freeMb } = memoryOf(device, machine.memory);
    return freeMb === null || freeMb >= need(device.backend);
  });
  if (fit !== undefined) return { backend: fit.backend, device: fit.id, needMb: need(fit.backend) };
  const best = devices[0];
  if (best === undefined) throw new RbeeError("backend_unavailable", "This hive has no device.");
  const { freeMb, code } = memoryOf(best, machine.memory);
  const needMb = need(best.backend);
  const have = Math.max(0, Math.floor(freeMb ?? 0));
  const kind = code === "insufficient_ram" ? "memory" : "GPU memory";
  throw new RbeeError(
    code,
    `${request.model} needs about ${needMb} MB of ${kind} on ${best.id}, and ${have} MB are free.`,
    {
      details: { need_mb: needMb, have_mb: have, device: best.id },
      suggestion: "Stop another worker, ask for a shorter context or fewer slots, or take a smaller model.",
    },
  );
}
