import { bundlePlatformSchema, buildId } from "@rbee/bundle";
import type { InstallMethod, MachineFacts } from "@rbee/contract";

/**
 * The builds that an installation could put on a machine now: with the engine for its GPU, or without where that one
 * does not fit. None when it cannot be told beforehand, as with what the machine builds itself.
 */
export async function offeredBuilds(root: string, method: InstallMethod, machine: MachineFacts): Promise<string[]> {
  if (!("bundle" in method)) return [];
  const gpus = ["none", ...(machine.gpus.some(({ vendor }) => vendor === "nvidia") ? ["cuda"] : [])];
  const builds = gpus.map(async (gpu) => {
    const platform = bundlePlatformSchema.parse({ os: machine.os, arch: machine.arch, gpu });
    return buildId({ root, platform });
  });
  return (await Promise.allSettled(builds)).flatMap((made) => (made.status === "fulfilled" ? [made.value] : []));
}
