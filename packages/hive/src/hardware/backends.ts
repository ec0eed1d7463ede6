import { createRequire } from "node:module";
import type { Backend, Device } from "@rbee/contract";
import type { Gpu } from "./gpu.ts";

/** Whether a package with something to run is installed; the stand-in for a left-out variant has nothing. */
export function packageInstalled(from: string): (name: string) => boolean {
  const resolver = createRequire(from);
  return (name) => {
    try {
      resolver.resolve(name);
      return true;
    } catch {
      return false;
    }
  };
}

/** The engine's packages that bring a backend on this platform. */
function enginePackages(platform: string, arch: string): Partial<Record<Backend, string>> {
  const system = platform === "darwin" ? "mac" : platform === "win32" ? "win" : platform;
  const prefix = `@node-llama-cpp/${system}-${arch}`;
  return system === "mac" ? { metal: `${prefix}-metal` } : { cuda: `${prefix}-cuda`, vulkan: `${prefix}-vulkan` };
}

/**
 * The backends that a worker can really start with: the CPU always, a GPU's only when both the hardware and the
 * engine's build for it are here.
 */
export function usableBackends(
  gpus: readonly Gpu[],
  machine: { platform: string; arch: string; installed: (packageName: string) => boolean },
): Backend[] {
  const packages = enginePackages(machine.platform, machine.arch);
  const present = new Set<Backend>(gpus.map(({ backend }) => backend));
  const reachable = (backend: Backend) =>
    backend === "vulkan" ? present.has("cuda") || present.has("rocm") : present.has(backend);
  const usable = (["cuda", "metal", "vulkan"] as const).filter((backend) => {
    const name = packages[backend];
    return name !== undefined && reachable(backend) && machine.installed(name);
  });
  return ["cpu", ...usable];
}

/** Every device of the machine: the CPU, each GPU, and each GPU once more where Vulkan can drive it. */
export function listDevices(cpuModel: string | null, gpus: readonly Gpu[], backends: readonly Backend[]): Device[] {
  const cpu: Device = {
    id: "cpu",
    backend: "cpu",
    name: cpuModel ?? "CPU",
    vram_total_mb: null,
    compute_capability: null,
  };
  const native = gpus.map(({ id, backend, name, vram_total_mb, compute_capability, unified_memory }) => ({
    id,
    backend,
    name,
    vram_total_mb,
    compute_capability,
    ...(unified_memory ? { memory_of: "ram" } : {}),
  }));
  const vulkan = !backends.includes("vulkan")
    ? []
    : gpus
        .filter(({ backend }) => backend !== "metal")
        .map(({ id, name, vram_total_mb, unified_memory }, index) => ({
          id: `vulkan:${index}`,
          memory_of: unified_memory ? "ram" : id,
          backend: "vulkan" as const,
          name,
          vram_total_mb,
          compute_capability: null,
        }));
  return [cpu, ...native, ...vulkan];
}
