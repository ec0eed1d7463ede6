import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hiveSettings, loadSettings } from "../../packages/settings/src/index.ts";
import { Refusal } from "../prepare/command.js";
import { root } from "../prepare/root.js";

/**
 * Where llama.cpp's programs are for this machine.
 * @typedef {object} LlamaPlace
 * @property {string} release The one that the engine is made of.
 * @property {string} bundle Its source, as a git bundle.
 * @property {string} cache Folder of all releases.
 * @property {string} folder
 * @property {string} bin
 */

const suffix = process.platform === "win32" ? ".exe" : "";
/** What is built, by the names of cmake's targets. */
export const programs = /** @type {const} */ (["llama-server", "ggml-rpc-server"]);
/** @param {string} name */
export const fileOf = (name) => `${name}${suffix}`;

/**
 * @returns {LlamaPlace}
 * @throws {Refusal} when the engine's source is not installed.
 */
export function llamaPlace() {
  const source = join(root, "node_modules", "node-llama-cpp", "llama");
  const bundle = join(source, "gitRelease.bundle");
  if (!existsSync(bundle)) throw new Refusal(`The source of llama.cpp is not there: ${bundle}. Run npm ci first.`);
  const { tag } = JSON.parse(readFileSync(join(source, "llama.cpp.info.json"), "utf8"));
  const release = String(tag).replaceAll(/[^\w.]+/gu, "_");
  const { llamaFolder: cache } = loadSettings({ llamaFolder: hiveSettings.llamaFolder }, {}).values;
  const folder = join(cache, `${release}-${process.platform}-${process.arch}`);
  return { release, bundle, cache, folder, bin: join(folder, "bin") };
}

/**
 * Whether both programs are there, built for at least these backends.
 * @param {Pick<LlamaPlace, "folder" | "bin">} place
 * @param {readonly string[]} backends
 */
export function isBuilt({ folder, bin }, backends) {
  if (!programs.every((name) => existsSync(join(bin, fileOf(name))))) return false;
  try {
    const made = JSON.parse(readFileSync(join(folder, "build.json"), "utf8"));
    return backends.every((backend) => made.backends.includes(backend));
  } catch {
    return backends.length === 0;
  }
}
