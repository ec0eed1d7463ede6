import { RbeeError, type Backend, type Device, type WorkerSpawn } from "@rbee/contract";
import type { LocalModel } from "../models/catalogue.ts";

/** Head room on every estimate of memory. */
const safety = 1.2;
/** What a worker process needs beside weights and attention cache: runtime, buffers, tokenizer. */
const processMb = 128;
const bytesPerMb = 1024 * 1024;
/** Tokens of context per slot that a worker takes when nothing is asked for; its own rule, in the contract. */
export const defaultContextLimit = 8_192;

/** Memory that a worker of this model will need, in MB, head room included. */
export function estimateMb(model: LocalModel, slots: number, contextLength: number | undefined): number {
  const { contextLength: trained, cacheBytesPerToken, vocabularySize } = model.header;
  const context = contextLength ?? Math.min(trained ?? defaultContextLimit, defaultContextLimit);
  const cache = (cacheBytesPerToken ?? 0) * context * slots;
  // One row of logits per token of a full batch.
  const logits = (vocabularySize ?? 0) * 4 * Math.min(512, context);
  return Math.ceil(((model.sizeBytes + cache + logits) / bytesPerMb + processMb) * safety);
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
 * @throws {RbeeError} `backend_unavailable`, `insufficient_ram`, `insufficient_vram`.
 */
export function placeWorker(request: WorkerSpawn, needMb: number, machine: Machine): Placement {
  const devices = candidates(request, machine);
  const fit = devices.find((device) => {
    const { freeMb } = memoryOf(device, machine.memory);
    return freeMb === null || freeMb >= needMb;
  });
  if (fit !== undefined) return { backend: fit.backend, device: fit.id };
  const best = devices[0];
  if (best === undefined) throw new RbeeError("backend_unavailable", "This hive has no device.");
  const { freeMb, code } = memoryOf(best, machine.memory);
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
