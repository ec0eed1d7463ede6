import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { RbeeError } from "@rbee/contract";
import { z } from "zod";

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

/**
 * Gives a package by its name as a file in `from` would find it, not looking above `root`; null when it is not
 * installed. A package of another name in that place (a stand-in) is not it.
 */
export async function findInstalled(root: string, from: string, name: string): Promise<InstalledPackage | null> {
  for (let place = from; ; place = dirname(place)) {
    const folder = join(place, "node_modules", name);
    const found = await readPackageJson(folder);
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
  const found = new Map<string, InstalledPackage>();
  const visit = async (place: string, name: string): Promise<void> => {
    if (skipped.has(name)) return;
    const one = await findInstalled(root, place, name);
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
  readonly changedAt: number;
}

/** The regular files below a folder that pass `keep`, nested `node_modules` excluded, sorted by path. */
export async function filesBelow(folder: string, keep: (path: string) => boolean): Promise<FoundFile[]> {
  const walk = async (below: string): Promise<FoundFile[]> => {
    const entries = await readdir(below, { withFileTypes: true });
    const found = await Promise.all(
      entries.map(async (entry): Promise<FoundFile[]> => {
        const absolute = join(below, entry.name);
        if (entry.isDirectory()) return entry.name === "node_modules" ? [] : walk(absolute);
        const path = relative(folder, absolute).split(sep).join("/");
        if (!entry.isFile() || !keep(path)) return [];
        const { size, mode, mtimeMs } = await stat(absolute);
        return [{ path, bytes: size, executable: (mode & 0o111) !== 0, changedAt: mtimeMs }];
      }),
    );
    return found.flat();
  };
  return (await walk(folder)).sort((a, b) => (a.path < b.path ? -1 : 1));
}
