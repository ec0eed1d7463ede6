import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { RbeeError } from "@rbee/contract";
import { closure, filesBelow, findInstalled, readPackageJson, type FoundFile } from "./installed.ts";
import { launcher, launcherFile } from "./launcher.ts";
import { manifestFile, type BundleManifest } from "./manifest.ts";
import { machineOf, packagesFor, type BundlePlatform } from "./platform.ts";
import { isNeeded, onlyForBuilding } from "./pruning.ts";

/** One file of a tree. */
export interface TreeFile {
  /** Relative to the tree, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
  readonly content: { readonly file: string } | { readonly text: string };
}

/** A package that is not installed here: its files go below `to` once it was fetched. */
export interface MissingPackage {
  readonly name: string;
  readonly version: string;
  readonly to: string;
  keep(path: string): boolean;
}

/** What a tree will consist of. */
export interface Plan {
  readonly manifest: BundleManifest;
  readonly files: readonly TreeFile[];
  readonly missing: readonly MissingPackage[];
}

/** Packages that the programs import as they are, since they hold native code. */
const external = ["node-llama-cpp", "better-sqlite3"];
const programs = ["hive", "worker"];

/** Whether this very Node runs elsewhere too: builds of distributions need libraries of theirs. */
function runsElsewhere(): boolean {
  const { variables } = process.config;
  return Object.entries(variables).every(([name, value]) => !/^node_shared(?:_|$)/u.test(name) || value !== true);
}

const nodeFile = /^bin\/(?:node)?$|^LICENSE$/u;
const slashed = (path: string) => path.split(sep).join("/");

/** A group of files and the lines by which a build is told from another. */
interface Part {
  readonly files: readonly TreeFile[];
  readonly missing?: MissingPackage;
  readonly identity: readonly string[];
}

function placed(to: string, folder: string, found: readonly FoundFile[]): TreeFile[] {
  return found.map(({ path, bytes, executable }) => ({
    path: `${to}/${path}`,
    bytes,
    executable,
    content: { file: join(folder, path) },
  }));
}

function missing(root: string, path: string): (cause: unknown) => never {
  return (cause) => {
    throw new RbeeError("internal_error", `rbee's ${path} is missing in ${root}.`, {
      suggestion: `Run \`npm run build\` in ${root}.`,
      cause,
    });
  };
}

/** rbee's own files; `builtAt` is when the youngest program was written. */
async function ownFiles(root: string, version: string): Promise<Part & { builtAt: number }> {
  const wanted = programs.flatMap((name) => [
    { path: `packages/${name}/package.json`, executable: false },
    { path: `packages/${name}/bin/rbee-${name}.js`, executable: true },
    { path: `packages/${name}/dist/main.js`, executable: false },
  ]);
  const models = await filesBelow(join(root, "models"), (path) => /^[^/]+\/(?:[^/]+\.(?:gguf|md))?$/u.test(path)).catch(
    missing(root, "models"),
  );
  wanted.push(
    { path: "LICENSE", executable: false },
    { path: "scripts/packaged-node.js", executable: false },
    ...models.map(({ path }) => ({ path: `models/${path}`, executable: false })),
  );
  let builtAt = 0;
  const files = await Promise.all(
    wanted.map(async ({ path, executable }): Promise<TreeFile> => {
      const { size, mtimeMs } = await stat(join(root, path)).catch(missing(root, path));
      if (path.endsWith("/main.js")) builtAt = Math.max(builtAt, Math.floor(mtimeMs));
      return { path, bytes: size, executable, content: { file: join(root, path) } };
    }),
  );
  // Without it, how Node reads the tree's scripts would depend on what lies in the folders above.
  const packageJson = `${JSON.stringify({ name: "rbee", version, private: true, type: "module" }, null, 2)}\n`;
  const written = [
    { path: launcherFile, text: launcher, executable: true },
    { path: "package.json", text: packageJson, executable: false },
  ].map(({ path, text, executable }) => ({ path, bytes: Buffer.byteLength(text), executable, content: { text } }));
  const all = [...files, ...written];
  const identity = await Promise.all(
    all.map(async ({ path, executable, content }) => {
      const bytes = "text" in content ? content.text : await readFile(content.file);
      return `${path} ${executable} ${createHash("sha256").update(bytes).digest("hex")}`;
    }),
  );
  return { files: all, identity, builtAt };
}

/** The engine, the database and what they need: the same files for every platform, but for one of the database's. */
async function sharedPackages(root: string, platform: BundlePlatform): Promise<Part & { engineVersion: string }> {
  const packages = await closure(root, join(root, "packages", "worker"), external, onlyForBuilding);
  const files = await Promise.all(
    packages.map(async ({ name, folder }) => {
      const to = slashed(relative(root, folder));
      return placed(to, folder, await filesBelow(folder, (path) => isNeeded(name, path, platform)));
    }),
  );
  const prebuilt = files.flat().find(({ path }) => path.endsWith(`/prebuilds/${machineOf(platform)}.node`));
  if (prebuilt === undefined)
    throw new RbeeError("backend_unavailable", `The database has no build for ${machineOf(platform)}.`);
  return {
    engineVersion: packages.find(({ name }) => name === "node-llama-cpp")?.version ?? "",
    files: files.flat(),
    identity: [
      ...packages.map(({ name, version, folder }) => `${slashed(relative(root, folder))} ${name}@${version}`),
      ...files.flat().map(({ path, bytes }) => `${path} ${bytes}`),
    ],
  };
}

/** A package of this platform alone: from `node_modules` when the right one is there, else to be fetched. */
async function platformPackage(root: string, wanted: MissingPackage): Promise<Part> {
  const { name, version, to, keep } = wanted;
  const identity = [`${to} ${name}@${version}`];
  const installed = await findInstalled(root, root, name);
  if (installed?.version !== version) return { files: [], missing: wanted, identity };
  return { files: placed(to, installed.folder, await filesBelow(installed.folder, keep)), identity };
}

async function runtime(root: string, platform: BundlePlatform, name: string): Promise<Part & { version: string }> {
  const wanted = (await readPackageJson(root))?.optionalDependencies?.[name];
  const found = await findInstalled(root, root, name);
  const version = wanted ?? found?.version ?? process.versions.node;
  const part = await platformPackage(root, { name, version, to: "node", keep: (path) => nodeFile.test(path) });
  const { os, arch } = platform;
  const isHost = process.platform === os && process.arch === arch;
  const sameLine = process.versions.node.split(".")[0] === version.split(".")[0];
  if (part.missing === undefined || !isHost || !sameLine || !runsElsewhere()) return { ...part, version };
  const content = { file: process.execPath };
  const { size } = await stat(content.file);
  return {
    files: [{ path: "node/bin/node", bytes: size, executable: true, content }],
    identity: [`node ${process.versions.node} ${size}`],
    version: process.versions.node,
  };
}

/**
 * Says what a tree for a platform consists of, from what is installed below its root; packs and fetches nothing.
 * @throws {RbeeError} `backend_unavailable` when there is no engine for the platform, `internal_error` when rbee is not
 *   installed or not built there.
 */
export async function makePlan(programRoot: string, platform: BundlePlatform): Promise<Plan> {
  const root = resolve(programRoot);
  const { node, engines } = packagesFor(platform);
  const version = (await readPackageJson(root))?.version ?? "0.0.0";
  const [own, shared, runs] = await Promise.all([
    ownFiles(root, version),
    sharedPackages(root, platform),
    runtime(root, platform, node),
  ]);
  const variants = await Promise.all(
    engines.map((name) =>
      platformPackage(root, {
        name,
        version: shared.engineVersion,
        to: `node_modules/${name}`,
        keep: (path) => isNeeded(name, path, platform),
      }),
    ),
  );
  const parts: Part[] = [own, shared, runs, ...variants];
  const identity = [version, JSON.stringify(platform), ...parts.flatMap((part) => part.identity)].sort().join("\n");
  const manifest: BundleManifest = {
    version,
    build: createHash("sha256").update(identity).digest("hex").slice(0, 12),
    platform,
    made_at: own.builtAt,
    node: runs.version,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const files = parts.flatMap((part) => part.files);
  files.push({ path: manifestFile, bytes: Buffer.byteLength(text), executable: false, content: { text } });
  return { manifest, files, missing: parts.flatMap(({ missing }) => (missing === undefined ? [] : [missing])) };
}

/**
 * The build of the bundle that would be made now, without making it: a hive with the same one is up to date.
 * @throws {RbeeError} as `makePlan` does.
 */
export async function buildId({ root, platform }: { root: string; platform: BundlePlatform }): Promise<string> {
  return (await makePlan(root, hasNoGpuChoice(platform))).manifest.build;
}

/** Two names for one thing get one build: Macs with Apple's chips always have Metal. */
export function hasNoGpuChoice(platform: BundlePlatform): BundlePlatform {
  const isAppleChip = platform.os === "darwin" && platform.arch === "arm64";
  return isAppleChip && platform.gpu === "none" ? { ...platform, gpu: "metal" } : platform;
}
