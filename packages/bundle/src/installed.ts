import { statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RbeeError } from "@rbee/contract";
import * as z from "zod";

const packageJsonSchema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});

/** A package as it lies in somebody's `node_modules`. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly folder: string;
  readonly dependencies: readonly string[];
}

/** Reads a folder's `package.json`; null when there is none that can be read. */
export async function readPackageJson(folder: string): Promise<z.infer<typeof packageJsonSchema> | null> {
  try {
    const parsed = packageJsonSchema.safeParse(JSON.parse(await readFile(join(folder, "package.json"), "utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

type Read = typeof readPackageJson;

/**
 * Gives a package by its name as a file in `from` would find it, not looking above `root`; null when it is not
 * installed. A package of another name in that place (a stand-in) is not it.
 */
export async function findInstalled(
  root: string,
  from: string,
  name: string,
  read: Read = readPackageJson,
): Promise<InstalledPackage | null> {
  for (let place = from; ; place = dirname(place)) {
    const folder = join(place, "node_modules", name);
    const found = basename(place) === "node_modules" ? null : await read(folder);
    if (found !== null) {
      if (found.name !== name || found.version === undefined) return null;
      return { name, version: found.version, folder, dependencies: Object.keys(found.dependencies ?? {}) };
    }
    if (place === root || dirname(place) === place) return null;
  }
}

/**
 * Everything that the named packages need at run time, themselves included, in the order of their paths.
 * @param skipped Names that are left out, with whatever only they need.
 * @throws {RbeeError} `internal_error` when one of them is not installed.
 */
export async function closure(
  root: string,
  from: string,
  names: readonly string[],
  skipped: ReadonlySet<string>,
): Promise<InstalledPackage[]> {
  // Most packages are asked for several times, and most places where they are sought are empty.
  const known = new Map<string, ReturnType<Read>>();
  const read: Read = (folder) => {
    const reading = known.get(folder) ?? readPackageJson(folder);
    known.set(folder, reading);
    return reading;
  };
  const found = new Map<string, InstalledPackage>();
  const visit = async (place: string, name: string): Promise<void> => {
    if (skipped.has(name)) return;
    const one = await findInstalled(root, place, name, read);
    if (one === null)
      throw new RbeeError("internal_error", `The package ${name} is not installed in ${root}.`, {
        suggestion: `Run \`npm ci\` in ${root}.`,
      });
    if (found.has(one.folder)) return;
    found.set(one.folder, one);
    await Promise.all(one.dependencies.map((dependency) => visit(one.folder, dependency)));
  };
  await Promise.all(names.map((name) => visit(from, name)));
  return [...found.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** A file below a folder. */
export interface FoundFile {
  /** Relative to the folder, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/**
 * The regular files below a folder, nested `node_modules` excluded, sorted by path.
 * @param keep Is asked about each file, and about each folder (with a slash at its end) before that is read.
 */
export async function filesBelow(folder: string, keep: (path: string) => boolean): Promise<FoundFile[]> {
  const walk = async (below: string): Promise<FoundFile[]> => {
    const found: FoundFile[] = [];
    const folders: string[] = [];
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = `${below}${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && keep(`${path}/`)) folders.push(`${path}/`);
      } else if (entry.isFile() && keep(path)) {
        // A thousand of these one after the other cost less than handing them to threads does.
        const { size, mode } = statSync(join(folder, path));
        found.push({ path, bytes: size, executable: (mode & 0o111) !== 0 });
      }
    }
    return [...found, ...(await Promise.all(folders.map(walk))).flat()];
  };
  return (await walk("")).sort((a, b) => (a.path < b.path ? -1 : 1));
}
