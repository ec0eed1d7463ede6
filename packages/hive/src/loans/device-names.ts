import type { Backend } from "@rbee/contract";

/**
 * What llama.cpp calls the first device of a backend; processes see no other of that backend. Naming it means that
 * there is no quiet fall-back to the processor.
 */
export const firstDevice: Readonly<Record<Backend, string>> = {
  cpu: "CPU",
  cuda: "CUDA0",
  metal: "MTL0",
  vulkan: "Vulkan0",
  rocm: "ROCm0",
};
