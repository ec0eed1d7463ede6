import { machineOf, type BundlePlatform } from "./platform.ts";

/** Tools that build the engine from source, which a hive never does. They and what only they need stay out. */
export const onlyForBuilding: ReadonlySet<string> = new Set(["cmake-js", "node-addon-api", "node-api-headers"]);

const licence = /^(?:licen[cs]e|notice|copying)/iu;
const noRuntimeFile =
  /\.(?:[cm]?tsx?|map|md|markdown|flow|lock|tsbuildinfo|cc|cpp|[ch]|hpp|gypi?|cmake|patch|bundle)$|^(?:readme|changelog)/iu;
const noRuntimeFolder = /^(?:docs?|examples?|tests?|__tests__|benchmarks?|coverage)$/u;

/** What else of a package no program of ours reads; folders end in a slash. */
const unused: Readonly<Record<string, readonly string[]>> = {
  "node-llama-cpp": [
    "bins/",
    "dist/cli/commands/",
    "dist/cli/cli.js",
    "dist/cli/startCreateCli.js",
    "dist/commands.js",
    "llama/addon/",
    "llama/cmake/",
    "llama/patches/",
    "llama/profiles/",
    "llama/toolchains/",
    "llama/xpack/",
    "llama/CMakeLists.txt",
    "templates/",
  ],
  "better-sqlite3": ["deps/", "src/"],
};

/**
 * Whether a file of a package belongs into a tree.
 * @param file Relative to the package, with forward slashes; a folder ends in one and is needed when anything in it may be.
 */
export function isNeeded(packageName: string, file: string, platform: BundlePlatform): boolean {
  const parts = file.replace(/\/$/u, "").split("/");
  const name = parts.at(-1) ?? "";
  const isFolder = file.endsWith("/");
  if (parts.some((part) => part.startsWith("."))) return false;
  if (unused[packageName]?.some((one) => (one.endsWith("/") ? file.startsWith(one) : file === one)) === true)
    return false;
  if ((isFolder || parts.length > 1) && noRuntimeFolder.test(parts[0] ?? "")) return false;
  if (isFolder) return true;
  if (packageName === "better-sqlite3" && parts[0] === "prebuilds") return name === `${machineOf(platform)}.node`;
  return licence.test(name) || !noRuntimeFile.test(name);
}
