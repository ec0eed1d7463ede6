import { RbeeError, type Backend } from "@rbee/contract";
import type { LlamaGpuType } from "node-llama-cpp";

const gpuTypes: Partial<Record<Backend, LlamaGpuType>> = {
  cpu: false,
  cuda: "cuda",
  metal: "metal",
  vulkan: "vulkan",
};

/** Variables by which each GPU library is told which cards it may see. */
const visibleDevices: Partial<Record<Backend, string>> = {
  cuda: "CUDA_VISIBLE_DEVICES",
  vulkan: "GGML_VK_VISIBLE_DEVICES",
};

export interface BackendChoice {
  readonly gpu: LlamaGpuType;
  /** To be set before the library is loaded, so that it sees the named device and no other. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * What the library must be asked for to get exactly this backend and device.
 * @throws {RbeeError} `backend_unavailable` when this engine has no such backend, or the device is not one of it.
 */
export function chooseBackend(backend: Backend, device: string): BackendChoice {
  const gpu = gpuTypes[backend];
  if (gpu === undefined) {
    throw new RbeeError("backend_unavailable", `This worker's engine has no ${backend} backend.`, {
      param: "backend",
      details: { requested: backend, available: Object.keys(gpuTypes) },
    });
  }
  if (backend === "cpu" && device === "cpu") return { gpu, environment: {} };
  const index = new RegExp(`^${backend}:(\\d{1,3})$`, "u").exec(device)?.[1];
  if (index === undefined || backend === "cpu") {
    throw new RbeeError("backend_unavailable", `The device ${device} is not one of the ${backend} backend.`, {
      param: "device",
      details: { requested: device },
      suggestion: "Name a device from the hive's capabilities.",
    });
  }
  const variable = visibleDevices[backend];
  return { gpu, environment: variable === undefined ? {} : { [variable]: index } };
}

/** What a worker was told to compute on. */
export interface Asked {
  readonly backend: Backend;
  readonly device: string;
  /** Layers of the model on the GPU; all when left out. */
  readonly layers: number | undefined;
}

const unavailable = ({ backend, device }: Asked, message: string, found: Readonly<Record<string, unknown>>) =>
  new RbeeError("backend_unavailable", message, {
    param: "device",
    details: { requested: device, ...found },
    suggestion: `Check the machine's ${backend} driver, or name another device (the CPU is \`cpu\`).`,
  });

/**
 * Why the GPU that was asked for cannot be used, before anything is loaded; null when the library sees one. llama.cpp
 * computes on the CPU without a word when the device that it may see is not there.
 * @param deviceNames the GPUs that the library sees.
 */
export const deviceUnseen = (asked: Asked, deviceNames: readonly string[]): RbeeError | null =>
  deviceNames.length > 0
    ? null
    : unavailable(asked, `The engine sees no ${asked.backend} device as ${asked.device}.`, { devices: [] });

/**
 * Why a model that was loaded for a GPU would compute on the CPU all the same; null when it does not, and when nothing
 * of it was to be on the GPU.
 * @param found what the library says after loading: layers on the device, and bytes of its memory that model and
 * context take.
 */
export function leftOnCpu(
  asked: Asked,
  found: { readonly deviceNames: readonly string[]; readonly layers: number; readonly bytes: number },
): RbeeError | null {
  const { deviceNames, layers, bytes } = found;
  if (asked.layers === 0) return null;
  // A Mac's one GPU cannot be hidden, and what it takes is main memory.
  if (layers > 0 && (bytes > 0 || asked.backend === "metal")) return null;
  return unavailable(
    asked,
    `The engine put nothing of the model on ${asked.device}, and would compute it on the CPU.`,
    {
      ...{ devices: deviceNames, layers_on_device: layers, bytes_on_device: bytes },
    },
  );
}
