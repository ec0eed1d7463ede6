import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./root.js";

/**
 * Every file under a path of the repository, sorted; nothing when the path does not exist.
 * @param {string} path Relative to the root; a file or a folder.
 * @returns {string[]} Relative to the root.
 */
function filesUnder(path) {
  try {
    return readdirSync(join(root, path), { withFileTypes: true })
      .filter((entry) => entry.name !== "node_modules" && entry.name !== "dist")
      .flatMap((entry) => (entry.isDirectory() ? filesUnder(`${path}/${entry.name}`) : [`${path}/${entry.name}`]))
      .sort();
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "ENOTDIR") return [path];
    if (code === "ENOENT") return [];
    throw error;
  }
}

/**
 * A hash over the names and contents of files; tests do not count, since they never reach an output.
 * @param {readonly string[]} paths Files and folders, relative to the root.
 * @returns {string}
 */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap(filesUnder).filter((name) => !name.endsWith(".test.ts")))
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  return hash.digest("hex");
}

/**
 * The fingerprint that was stamped when something was last made, if it was.
 * @param {string} file Relative to the root.
 * @returns {string | undefined}
 */
export function readStamp(file) {
  try {
    return readFileSync(join(root, file), "utf8");
  } catch {
    return undefined;
  }
}

/**
 * @param {string} file Relative to the root.
 * @param {string | undefined} value Undefined removes the stamp.
 */
export function writeStamp(file, value) {
  if (value === undefined) {
    rmSync(join(root, file), { force: true });
    return;
  }
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), value);
}
