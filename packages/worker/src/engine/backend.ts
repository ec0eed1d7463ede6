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

/** What the library says of a GPU after a model was loaded for it. */
export interface OnDevice {
  readonly backend: Backend;
  readonly device: string;
  /** The GPUs that the library sees. */
  readonly deviceNames: readonly string[];
  /** Layers that were asked for on the GPU; all when left out. */
  readonly layersWanted: number | undefined;
  readonly layersOnDevice: number;
  /** What model and context take of the GPU's memory. */
  readonly bytesOnDevice: number;
}

/**
 * Why a worker that was to compute on a GPU does not: llama.cpp computes on the CPU without a word when the device that
 * it may see is not there. Null when it does, and when nothing was to be on the GPU.
 */
export function leftOnCpu(found: OnDevice): RbeeError | null {
  const { backend, device, deviceNames, layersWanted, layersOnDevice, bytesOnDevice } = found;
  const unavailable = (message: string) =>
    new RbeeError("backend_unavailable", message, {
      param: "device",
      details: {
        ...{
          requested: device,
          devices: deviceNames,
          layers_on_device: layersOnDevice,
          bytes_on_device: bytesOnDevice,
        },
      },
      suggestion: `Check the machine's ${backend} driver, or name another device (the CPU is \`cpu\`).`,
    });
  if (deviceNames.length === 0) return unavailable(`The engine sees no ${backend} device as ${device}.`);
  if (layersWanted === 0) return null;
  // A Mac's one GPU cannot be hidden, and what it takes is main memory.
  if (layersOnDevice === 0 || (bytesOnDevice === 0 && backend !== "metal"))
    return unavailable(`The engine loaded the model beside ${device}, and would compute it on the CPU.`);
  return null;
}
