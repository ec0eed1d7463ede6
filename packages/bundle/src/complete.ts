import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { RbeeError } from "@rbee/contract";
import { Unpack } from "tar";
import { fetchPackage } from "./fetched.ts";
import { filesBelow } from "./installed.ts";
import type { Npm } from "./npm.ts";
import type { MissingPackage, Plan, TreeFile } from "./plan.ts";

export interface CompleteOptions {
  readonly root: string;
  /** Folder of the fetched packages. */
  readonly packages: string;
  /** An empty folder that the caller removes when the files were used. */
  readonly work: string;
  readonly npm: Npm | null;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Called before each package. */
  onPackage(done: number, total: number, name: string): void;
}

/**
 * All files of a plan: what is missing here is fetched and unpacked into `work`.
 * @throws {RbeeError} as `fetchPackage` does, or `download_failed` when a package is not what its name says.
 */
export async function completeFiles(plan: Plan, options: CompleteOptions): Promise<TreeFile[]> {
  const files = [...plan.files];
  for (const [index, missing] of plan.missing.entries()) {
    options.onPackage(index, plan.missing.length, missing.name);
    files.push(...(await unpacked(missing, join(options.work, `package-${index}`), options)));
  }
  return files;
}

async function unpacked(missing: MissingPackage, folder: string, options: CompleteOptions): Promise<TreeFile[]> {
  const { name, version, to, keep } = missing;
  const { root, packages, npm, env, signal } = options;
  const archive = await fetchPackage({ name, version, root, cache: packages, npm, env, signal });
  await mkdir(folder);
  // What npm packs lies in one folder of any name.
  const filter = (path: string) => keep(path.split("/").slice(1).join("/"));
  await pipeline(createReadStream(archive), new Unpack({ cwd: folder, strip: 1, filter }), { signal });
  const found = await filesBelow(folder, () => true);
  if (found.length === 0)
    throw new RbeeError("download_failed", `The package ${name}@${version} has none of the files that it should have.`);
  return found.map(({ path, bytes, executable }) => ({
    path: `${to}/${path}`,
    bytes,
    executable: executable || path === "bin/node",
    content: { file: join(folder, path) },
  }));
}
