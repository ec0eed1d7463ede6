import { describe, expect, it } from "vitest";
import type { Launch } from "../engine.ts";
import { argumentsFor } from "./arguments.ts";
import { devicesIn, type ProgramFacts } from "./look.ts";

const listed = `Available devices:
  CUDA0: NVIDIA GeForce RTX 3060 (12044 MiB, 11800 MiB free)
  Vulkan0: NVIDIA GeForce RTX 3060 (12288 MiB, 11900 MiB free)
  Vulkan1: AMD Radeon (8192 MiB, 8000 MiB free)
`;
const facts: ProgramFacts = {
  path: "/bin/llama-server",
  version: "1",
  knowsDevices: true,
  help: "-np, --parallel N\n--cache-ram N\n--mmap, --no-mmap\n--host HOST  socket when it ends with .sock",
  devices: devicesIn(listed),
};
const launch = (options: Partial<Launch["options"]> = {}, flags: readonly string[] = []) => ({
  options: {
    ...{ worker_id: "worker:1", model: "bee", model_path: "/models/bee.gguf", socket_path: "/run/bee.sock" },
    ...{ backend: "cpu" as const, device: "cpu", slots: 3, threads: 2, queue_limit: 64, speculation: "off" as const },
    ...options,
  },
  contextPerSlot: 500,
  architecture: "llama",
  flags,
});
/** What stands after a flag; undefined when the flag does not. */
const after = (flag: string, args: readonly string[]) =>
  args.includes(flag) ? args[args.lastIndexOf(flag) + 1] : undefined;
const args = (options: Partial<Launch["options"]> = {}, flags: readonly string[] = []) =>
  argumentsFor(launch(options, flags), { kind: "socket", path: "/run/bee.sock" }, facts);

describe("llama-server's command line", () => {
  it("gives every slot its context, and listens where it is told", () => {
    expect(after("--ctx-size", args())).toBe("1500");
    expect(after("--parallel", args())).toBe("3");
    expect(after("--host", args())).toBe("/run/bee.sock");
  });

  it("names exactly the device that was asked for, so that nothing falls back to another", () => {
    expect(after("--device", args())).toBe("none");
    expect(after("--device", args({ backend: "cuda", device: "cuda:3" }))).toBe("CUDA0");
    expect(after("--device", args({ backend: "vulkan", device: "vulkan:1" }))).toBe("Vulkan1");
    expect(after("--n-gpu-layers", args({ backend: "cuda", device: "cuda:0", gpu_layers: 20 }))).toBe("20");
  });

  it("keeps weights on the CPU in memory of their own", () => {
    expect(args()).toContain("--no-mmap");
    expect(args({ backend: "cuda", device: "cuda:0" })).not.toContain("--no-mmap");
  });

  it("has more context than the header says only when that is asked for", () => {
    expect(args()).not.toContain("--override-kv");
    expect(after("--override-kv", args({ extend_context: true }))).toBe("llama.context_length=int:500");
  });

  it("leaves out what this version does not know, and ends with what the launch adds", () => {
    expect(after("--cache-ram", args())).toBe("0");
    expect(args()).not.toContain("--no-webui");
    expect(args({}, ["--device", "RPC0"]).slice(-2)).toEqual(["--device", "RPC0"]);
  });
});
