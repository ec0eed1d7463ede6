import { execFile } from "node:child_process";
import * as z from "zod";
import type { Gpu, GpuSource } from "./gpu.ts";

const displaysSchema = z.object({
  SPDisplaysDataType: z.array(
    z.looseObject({
      _name: z.string().optional(),
      sppci_model: z.string().optional(),
      spdisplays_vendor: z.string().optional(),
      spdisplays_mtlgpufamilysupport: z.string().optional(),
      spdisplays_metal: z.string().optional(),
    }),
  ),
});

/** GPUs that Metal can use, from `system_profiler SPDisplaysDataType -json`; none when the output is something else. */
export function parseDisplays(output: string): Gpu[] {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    return [];
  }
  const parsed = displaysSchema.safeParse(value);
  if (!parsed.success) return [];
  return parsed.data.SPDisplaysDataType.filter(
    (gpu) => gpu.spdisplays_mtlgpufamilysupport !== undefined || gpu.spdisplays_metal !== undefined,
  ).map((gpu, index) => ({
    id: `metal:${index}`,
    name: gpu.sppci_model ?? gpu._name ?? "Apple GPU",
    util_pct: null,
    vram_used_mb: null,
    vram_total_mb: null,
    temp_c: null,
    power_w: null,
    backend: "metal",
    compute_capability: null,
    unified_memory: /apple/iu.test(gpu.spdisplays_vendor ?? gpu.sppci_model ?? ""),
    worker_env: {},
  }));
}

/** Apple's GPUs, asked for once: nothing about them that can be read without root changes. */
export class AppleSource implements GpuSource {
  readonly #command: string;
  #gpus: readonly Gpu[] = [];

  constructor(command = "system_profiler") {
    this.#command = command;
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      execFile(
        this.#command,
        ["SPDisplaysDataType", "-json"],
        { timeout: 10_000, killSignal: "SIGKILL" },
        (error, stdout) => {
          this.#gpus = error === null ? parseDisplays(stdout) : [];
          resolve();
        },
      );
    });
  }

  read(): Promise<readonly Gpu[]> {
    return Promise.resolve(this.#gpus);
  }

  stop(): void {
    this.#gpus = [];
  }
}
