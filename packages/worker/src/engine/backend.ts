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
