import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Refusal, run } from "./command.js";
import { fingerprint, readStamp, writeStamp } from "./fingerprint.js";
import { root } from "./root.js";

const stamp = "node_modules/.rbee-lock";
const minimumMajor = 20;

/** Whether `node_modules` is what the lock file says. */
function isInstalled() {
  const lock = fingerprint(["package-lock.json"]);
  const stamped = readStamp(stamp);
  if (stamped !== undefined) return stamped === lock;
  // Somebody ran npm by hand: npm writes this file last, so one that is newer than the lock file stands for it.
  const npmsOwn = join(root, "node_modules/.package-lock.json");
  if (!existsSync(npmsOwn) || statSync(npmsOwn).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs)
    return false;
  writeStamp(stamp, lock);
  return true;
}

/** The npm that runs us when there is one, else the one on PATH. */
function npm() {
  const script = process.env["npm_execpath"];
  if (script?.endsWith(".js") === true && existsSync(script))
    return { program: process.execPath, before: [script], shell: false };
  return { program: "npm", before: [], shell: process.platform === "win32" };
}

/**
 * Installs what the lock file names when it is not installed; at most one line is written when all goes well.
 * Runs on any Node from 20 on and needs nothing installed.
 * @throws {Refusal} with npm's whole output when it fails twice, or when this Node is too old for npm's packages.
 */
export async function ensureInstalled() {
  if (Number(process.versions.node.split(".")[0]) < minimumMajor)
    throw new Refusal(
      `rbee needs Node ${minimumMajor} or newer to install itself; this is ${process.versions.node}. Get one from https://nodejs.org.`,
    );
  if (isInstalled()) return;
  process.stderr.write("Installing what rbee needs (about 700 MB on disk, a minute or two)…\n");
  const { program, before, shell } = npm();
  // No package needs its install script, newer versions of npm run none, and some would call a compiler.
  const flags = ["--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  const args = [...before, "ci", ...flags, "--loglevel=error"];
  let result = await run(program, args, { shell });
  if (result.code !== 0 && result.signal === null) {
    process.stderr.write("The installation failed; trying once more…\n");
    result = await run(program, args, { shell });
  }
  if (result.signal !== null) process.exit(130);
  if (result.code !== 0)
    throw new Refusal(`${result.output.trimEnd()}\n\nThe installation failed (\`npm ci\`, exit code ${result.code}).`);
  writeStamp(stamp, fingerprint(["package-lock.json"]));
}
