import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { RbeeError } from "@rbee/contract";
import * as z from "zod";
import { runNpm, type Npm } from "./npm.ts";
import { workFolder } from "./work-folder.ts";

export interface FetchOptions {
  readonly name: string;
  readonly version: string;
  /** The program's root: its lock file says what the package must be, its `.npmrc` where it comes from. */
  readonly root: string;
  /** Folder of the fetched packages. */
  readonly cache: string;
  readonly npm: Npm | null;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
});

/** What the lock file says a package must hash to; null when it does not say. */
async function lockedIntegrity(root: string, name: string, version: string): Promise<string | null> {
  try {
    const lock = lockSchema.parse(JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")));
    const entry = lock.packages[`node_modules/${name}`];
    return entry?.version === version ? (entry.integrity ?? null) : null;
  } catch {
    return null;
  }
}

/** Whether a file is what an integrity (`sha512-…`, the strongest first) says. */
async function matches(file: string, integrity: string, signal: AbortSignal | undefined): Promise<boolean> {
  const hashes = integrity.trim().split(/\s+/u);
  const [algorithm, expected] = (hashes.find((one) => one.startsWith("sha512-")) ?? hashes[0] ?? "").split(/-(.*)/su);
  if (algorithm === undefined || !/^sha(?:1|256|384|512)$/u.test(algorithm)) return false;
  const hash = createHash(algorithm);
  await pipeline(createReadStream(file), hash, { signal });
  return hash.digest("base64") === expected;
}

async function text(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch {
    return null;
  }
}

async function isCached(file: string, integrity: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return await matches(file, integrity, signal);
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}

/**
 * Gives a package's archive (`.tgz`) from the cache, or fetches it through npm. Either way it was checked against the
 * lock file, or where that says nothing against the registry's own hash.
 * @throws {RbeeError} as `runNpm` does; `checksum_mismatch` when the registry delivers something else.
 */
export async function fetchPackage(options: FetchOptions): Promise<string> {
  const { name, version, root, cache, signal } = options;
  const spec = `${name}@${version}`;
  const file = join(cache, `${name.replace("/", "+")}-${version}.tgz`);
  // Only where the lock file says nothing: the registry's word at the time of fetching.
  const remembered = `${file}.integrity`;
  const locked = await lockedIntegrity(root, name, version);
  const known = locked ?? (await text(remembered));
  if (known !== null && (await isCached(file, known, signal))) return file;

  const call = { npm: options.npm, cwd: root, env: options.env, signal, purpose: `fetch ${spec}` };
  const integrity = locked ?? (await announced(spec, call));
  await mkdir(cache, { recursive: true });
  const work = await workFolder(cache);
  try {
    await runNpm({ ...call, args: ["pack", spec, "--pack-destination", work.path] });
    const [packed] = (await readdir(work.path)).filter((one) => one.endsWith(".tgz"));
    const arrived = packed === undefined ? null : join(work.path, packed);
    if (arrived === null || !(await matches(arrived, integrity, signal)))
      throw new RbeeError("checksum_mismatch", `What npm delivered as ${spec} is not what it has to be.`, {
        details: { package: spec, integrity, from: locked === null ? "registry" : "package-lock.json" },
        suggestion: "Check which registry `npm config get registry` names on the queen's machine.",
      });
    if (locked === null) await writeFile(remembered, integrity);
    await rename(arrived, file);
    return file;
  } finally {
    await work.remove();
  }
}

async function announced(spec: string, call: Omit<Parameters<typeof runNpm>[0], "args">): Promise<string> {
  const answer = await runNpm({ ...call, args: ["view", spec, "dist.integrity"] });
  const parsed = z.string().safeParse(answer.trim() === "" ? null : JSON.parse(answer));
  if (parsed.success) return parsed.data;
  throw new RbeeError("checksum_mismatch", `npm's registry does not say what ${spec} has to hash to.`, {
    suggestion: "Check which registry `npm config get registry` names on the queen's machine.",
  });
}
