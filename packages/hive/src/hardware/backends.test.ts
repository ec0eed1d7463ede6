import { describe, expect, it } from "vitest";
import { listDevices, packageInstalled, usableBackends } from "./backends.ts";
import type { Gpu } from "./gpu.ts";

const gpu = (backend: Gpu["backend"], id: string): Gpu => ({
  id,
  name: `a ${backend} card`,
  util_pct: null,
  vram_used_mb: null,
  vram_total_mb: 8192,
  temp_c: null,
  power_w: null,
  backend,
  compute_capability: null,
  unified_memory: false,
  worker_env: {},
});
const linux = { platform: "linux", arch: "x64" };
const everything = () => true;
const nothing = () => false;

describe("backends", () => {
  it("are the CPU alone on a machine without GPU, whatever is installed", () => {
    expect(usableBackends([], { ...linux, installed: everything })).toEqual(["cpu"]);
  });

  it("leave out a GPU that the installed engine cannot drive", () => {
    expect(usableBackends([gpu("cuda", "cuda:0")], { ...linux, installed: nothing })).toEqual(["cpu"]);
  });

  it("have CUDA with a card and the engine's build for it", () => {
    const installed = (name: string) => name === "@node-llama-cpp/linux-x64-cuda";
    expect(usableBackends([gpu("cuda", "cuda:0")], { ...linux, installed })).toEqual(["cpu", "cuda"]);
  });

  it("drive AMD's cards by Vulkan, since the engine has no build for ROCm", () => {
    const backends = usableBackends([gpu("rocm", "rocm:0")], { ...linux, installed: everything });
    expect(backends).toEqual(["cpu", "vulkan"]);
    expect(listDevices("a CPU", [gpu("rocm", "rocm:0")], backends).map(({ id }) => id)).toEqual([
      "cpu",
      "rocm:0",
      "vulkan:0",
    ]);
  });

  it("have Metal on a Mac with the engine's build for it", () => {
    const machine = {
      platform: "darwin",
      arch: "arm64",
      installed: (name: string) => name.endsWith("mac-arm64-metal"),
    };
    expect(usableBackends([gpu("metal", "metal:0")], machine)).toEqual(["cpu", "metal"]);
  });

  it("do not take a stand-in without content for an installed package", () => {
    const installed = packageInstalled(import.meta.url);
    expect(installed("zod")).toBe(true);
    expect(installed("@node-llama-cpp/linux-x64-cuda")).toBe(false);
    expect(installed("@node-llama-cpp/not-there")).toBe(false);
  });
});
