import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, rmdir, statfs, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { RbeeError } from "@rbee/contract";
import * as z from "zod";
import { writeArchive } from "./archive.ts";
import { completeFiles } from "./complete.ts";
import { bundleManifestSchema, type BundleManifest } from "./manifest.ts";
import { Shared } from "./making.ts";
import { findNpm } from "./npm.ts";
import { hasNoGpuChoice, makePlan, type Plan, type TreeFile } from "./plan.ts";
import { platformName, type BundlePlatform } from "./platform.ts";
import { writeTree } from "./tree.ts";
import { workFolder } from "./work-folder.ts";

export interface BundleProgress {
  /** `collect`: finding what belongs into it; `fetch`: packages from npm; `pack`: writing it. */
  readonly phase: "collect" | "fetch" | "pack";
  readonly done: number;
  readonly total: number | null;
  readonly unit: "bytes" | "items";
  /** The package that is being fetched. */
  readonly what?: string;
}

interface MakeOptions {
  /** The program's root: where `package.json`, `node_modules` and `packages` are. */
  readonly root: string;
  /** Folder for archives and fetched packages. */
  readonly cache: string;
  readonly platform: BundlePlatform;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BundleProgress) => void) | undefined;
  /** What npm is started with; this process's own environment unless given. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** An archive that is ready to be sent. */
export interface Bundle {
  /** Absolute path of the `.tar.gz`. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly manifest: BundleManifest;
}

const recordSchema = z.object({ bytes: z.number(), sha256: z.string(), manifest: bundleManifestSchema });
const archives = new Shared<Bundle, BundleProgress>();
const mb = 1024 * 1024;

/**
 * Makes the archive of hive and worker for a platform, or gives the cached one when nothing in it has changed since.
 * Calls at the same time for one platform share the work.
 * @throws {RbeeError} `backend_unavailable` when the engine has no build for the platform; `insufficient_disk`;
 *   `internal_error` when rbee is not installed or not built below `root`; `download_failed`, `download_not_found`
 *   or `checksum_mismatch` when a package of another platform cannot be had; or the signal's reason.
 */
export async function makeBundle(options: MakeOptions): Promise<Bundle> {
  const { signal, onProgress = () => {} } = options;
  signal?.throwIfAborted();
  const cache = resolve(options.cache);
  onProgress({ phase: "collect", done: 0, total: null, unit: "items" });
  const plan = await makePlan(options.root, hasNoGpuChoice(options.platform));
  onProgress({ phase: "collect", done: plan.files.length, total: plan.files.length, unit: "items" });
  const { build, platform, version } = plan.manifest;
  const family = `rbee-hive-${platformName(platform)}-`;
  const file = join(cache, `${family}${version}-${build}.tar.gz`);
  return archives.do(
    file,
    async (shared, tell) =>
      (await cached(file, build, shared)) ??
      (await make(plan, file, family, { ...options, cache, signal: shared, onProgress: tell })),
    onProgress,
    signal,
  );
}

const recordOf = (file: string) => `${file}.json`;

async function cached(file: string, build: string, signal: AbortSignal): Promise<Bundle | null> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(recordOf(file), "utf8")));
    const hash = createHash("sha256");
    await pipeline(createReadStream(file), hash, { signal });
    return hash.digest("hex") === record.sha256 && record.manifest.build === build ? { file, ...record } : null;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

async function make(plan: Plan, file: string, family: string, options: MakeOptions): Promise<Bundle> {
  const { cache, signal, onProgress = () => {} } = options;
  return withFiles(plan, options, cache, async (files, work) => {
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    // Half of what goes in is more than ever comes out.
    await refuseFullDisk(cache, total / 2);
    let done = 0;
    const unfinished = join(work, basename(file));
    const packed = await writeArchive(
      unfinished,
      files,
      (bytes) => {
        done += bytes;
        onProgress({ phase: "pack", done, total, unit: "bytes" });
      },
      signal,
    );
    const record = { ...packed, manifest: plan.manifest };
    await writeFile(join(work, "record"), JSON.stringify(record));
    signal?.throwIfAborted();
    await rename(unfinished, file);
    await rename(join(work, "record"), recordOf(file));
    await removeOthers(cache, family, file);
    return { file, ...record };
  });
}

/** Archives of the same platform that this one replaces. */
async function removeOthers(cache: string, family: string, file: string): Promise<void> {
  const kept = new Set([basename(file), basename(recordOf(file))]);
  const isOther = (name: string) =>
    name.startsWith(family) && /^[^-]+-[0-9a-f]{12}\.tar\.gz/u.test(name.slice(family.length)) && !kept.has(name);
  const others = (await readdir(cache)).filter(isOther);
  await Promise.all(others.map((name) => rm(join(cache, name), { force: true })));
}

/**
 * Writes the same tree into a folder that does not exist yet or is empty: for a build on the target itself.
 * @throws {RbeeError} as `makeBundle` does; `already_exists` when there is something in the folder.
 */
export async function makeTree(options: MakeOptions & { readonly out: string }): Promise<BundleManifest> {
  const { signal, onProgress = () => {} } = options;
  const out = resolve(options.out);
  if (!(await isFree(out)))
    throw new RbeeError("already_exists", `The folder ${out} is not empty.`, {
      suggestion: "Name a folder that does not exist yet.",
    });
  onProgress({ phase: "collect", done: 0, total: null, unit: "items" });
  const plan = await makePlan(options.root, hasNoGpuChoice(options.platform));
  await withFiles(plan, options, dirname(out), async (files, work) => {
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    await refuseFullDisk(work, total);
    const tree = join(work, "tree");
    await writeTree(
      tree,
      files,
      (done) => {
        onProgress({ phase: "pack", done, total: files.length, unit: "items" });
      },
      signal,
    );
    await rmdir(out).catch(() => undefined);
    await rename(tree, out);
  });
  return plan.manifest;
}

async function isFree(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

/** Does something with all files of a plan, in a work folder inside `place`; leaves nothing of it behind. */
async function withFiles<T>(
  plan: Plan,
  options: MakeOptions,
  place: string,
  use: (files: readonly TreeFile[], work: string) => Promise<T>,
): Promise<T> {
  const { root, cache, signal, env = process.env, onProgress = () => {} } = options;
  signal?.throwIfAborted();
  await mkdir(place, { recursive: true });
  const work = await workFolder(place);
  try {
    const files = await completeFiles(plan, {
      root: resolve(root),
      packages: join(resolve(cache), "packages"),
      work: work.path,
      npm: findNpm(env),
      env,
      signal,
      onPackage: (done, total, what) => {
        onProgress({ phase: "fetch", done, total, unit: "items", what });
      },
    });
    return await use(files, work.path);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") throw diskFull(place, null, 0, error);
    throw error;
  } finally {
    await work.remove();
  }
}

async function refuseFullDisk(folder: string, needBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < needBytes) throw diskFull(folder, needBytes, bavail * bsize);
}

function diskFull(folder: string, needBytes: number | null, haveBytes: number, cause?: unknown): RbeeError {
  const details = {
    ...(needBytes === null ? {} : { need_mb: Math.ceil(needBytes / mb) }),
    have_mb: Math.floor(haveBytes / mb),
  };
  return new RbeeError("insufficient_disk", `The disk that holds ${folder} is too full for a bundle.`, {
    details,
    suggestion: "Make room on it, then try again.",
    cause,
  });
}
