import { totalmem } from "node:os";
import type { Backend, Device } from "@rbee/contract";
import { AmdSource } from "./amd.ts";
import { AppleSource } from "./apple.ts";
import { listDevices, packageInstalled, usableBackends } from "./backends.ts";
import { readCpuInventory, type CpuInventory } from "./cpu.ts";
import type { Gpu, GpuSource } from "./gpu.ts";
import { NvidiaSource } from "./nvidia.ts";

export type { Gpu, GpuSource } from "./gpu.ts";

/** Which vendors can have a GPU in a machine of this kind. */
export function gpuSources(platform: string = process.platform): GpuSource[] {
  if (platform === "darwin") return [new AppleSource()];
  if (platform === "linux") return [new NvidiaSource(), new AmdSource()];
  return [new NvidiaSource()];
}

export interface Inventory {
  readonly cpu: CpuInventory;
  readonly ramTotalMb: number;
  readonly backends: readonly Backend[];
  readonly devices: readonly Device[];
}

/** What the machine has. Static facts are read once at the start, live ones on each call. */
export class Hardware {
  readonly #sources: readonly GpuSource[];
  readonly #installed: (packageName: string) => boolean;
  #cpu: CpuInventory | undefined;

  /** @param engineFrom a file of the package that the engine is resolved from. */
  constructor(sources: readonly GpuSource[], engineFrom: string) {
    this.#sources = sources;
    this.#installed = packageInstalled(engineFrom);
  }

  async start(): Promise<void> {
    const [cpu] = await Promise.all([readCpuInventory(), ...this.#sources.map((source) => source.start())]);
    this.#cpu = cpu;
  }

  stop(): void {
    for (const source of this.#sources) source.stop();
  }

  async gpus(): Promise<readonly Gpu[]> {
    return (await Promise.all(this.#sources.map((source) => source.read()))).flat();
  }

  /** Memory that processes hold on GPUs, in MB by process id; a process that no vendor's tool names is missing. */
  processMemory(): ReadonlyMap<number, number> {
    return new Map(this.#sources.flatMap((source) => [...(source.processMemory?.() ?? [])]));
  }

  async inventory(): Promise<Inventory> {
    const gpus = await this.gpus();
    const cpu = this.#cpu ?? (await readCpuInventory());
    const { platform, arch } = process;
    const backends = usableBackends(gpus, { platform, arch, installed: this.#installed });
    return {
      cpu,
      ramTotalMb: Math.round(totalmem() / (1024 * 1024)),
      backends,
      devices: listDevices(cpu.model, gpus, backends),
    };
  }
}
