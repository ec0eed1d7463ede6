import { existsSync } from "node:fs";
import { join } from "node:path";
import { Refusal, run } from "./command.js";
import { fingerprint, readStamp, writeStamp } from "./fingerprint.js";
import { exclusively } from "./lock.js";
import { plainHttp } from "./plain-http.js";
import { root } from "./root.js";

/** Packages that every program contains. */
const shared = ["contract", "settings", "jobs"].flatMap((name) => [
  `packages/${name}/src`,
  `packages/${name}/package.json`,
]);
const tools = [
  "package.json",
  "package-lock.json",
  "tsconfig.base.json",
  "scripts/prepare/build.js",
  "scripts/prepare/plain-http.js",
];
/** What stays in node_modules: native code that cannot be bundled. */
const external = ["node-llama-cpp", "better-sqlite3", "@node-rs/argon2"];
/** Bundled CommonJS parts ask for `require`, which an ES module does not have. */
const banner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {readonly string[]} inputs Files and folders, relative to the root.
 * @property {string} output The file that exists when it was built.
 * @property {() => Promise<void>} build
 */

/** @returns {Promise<void>} */
async function buildQueen() {
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const { code, output } = await run(process.execPath, [vite, "build", "--logLevel", "warn"], {
    env: { ...process.env, NODE_ENV: "production" },
  });
  if (code !== 0) throw new Refusal(`${output.trimEnd()}\n\nBuilding the queen failed.`);
}

/**
 * @param {string} name
 * @returns {Promise<void>}
 */
async function bundle(name) {
  const esbuild = await import("esbuild");
  try {
    await esbuild.build({
      absWorkingDir: root,
      entryPoints: [`packages/${name}/src/main.ts`],
      outfile: `packages/${name}/dist/main.js`,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node26",
      // Node keeps the text of a program in memory as long as that runs.
      minifyWhitespace: true,
      minifySyntax: true,
      // Node shows the whole line in which an error was thrown.
      lineLimit: 200,
      sourcemap: true,
      sourcesContent: false,
      external,
      plugins: [plainHttp],
      banner: { js: banner },
      logLevel: "silent",
    });
  } catch (error) {
    const messages = /** @type {Partial<import("esbuild").BuildFailure>} */ (error).errors ?? [];
    const shown = await esbuild.formatMessages(messages, { kind: "error", color: false });
    throw new Refusal(`${shown.join("").trimEnd() || String(error)}\n\nBuilding the ${name} failed.`);
  } finally {
    // Otherwise its service process lives as long as the program that started the build.
    await esbuild.stop();
  }
}

/**
 * @param {string} name
 * @returns {Target}
 */
const program = (name) => ({
  name,
  inputs: [`packages/${name}/src`, `packages/${name}/package.json`, ...shared, ...tools],
  output: `packages/${name}/dist/main.js`,
  build: () => bundle(name),
});

/** @type {readonly Target[]} */
export const targets = [
  program("cli"),
  program("worker"),
  program("hive"),
  {
    name: "queen",
    inputs: [
      "src",
      "static",
      "drizzle",
      "vite.config.ts",
      "tsconfig.json",
      "packages/bundle/src",
      "packages/bundle/package.json",
      ...shared,
      ...tools,
    ],
    output: "build/handler.js",
    build: buildQueen,
  },
];

/** @param {Target} target */
const stampOf = (target) => `.stamps/${target.name}`;

/** @param {Target} target */
function isStale(target) {
  return !existsSync(join(root, target.output)) || readStamp(stampOf(target)) !== fingerprint(target.inputs);
}

/**
 * Builds the programs whose inputs are not those that they were last built from; one line is written for each.
 * @param {{ only?: readonly string[]; force?: boolean }} [options] `only` names targets.
 * @returns {Promise<string[]>} The names of what was built.
 * @throws {Refusal} with the tool's output when a build fails; what was built before it stays good.
 */
export async function buildStale({ only, force = false } = {}) {
  const unknown = only?.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined)
    throw new Refusal(`There is no build target ${unknown}; there are ${targets.map(({ name }) => name).join(", ")}.`);
  const chosen = targets.filter((target) => only === undefined || only.includes(target.name));
  if (!force && !chosen.some(isStale)) return [];
  return exclusively(".stamps/lock", () => buildAll(chosen.filter((target) => force || isStale(target))));
}

/** @param {readonly Target[]} stale */
async function buildAll(stale) {
  for (const target of stale) {
    const startedAt = performance.now();
    process.stderr.write(`Building the ${target.name}…`);
    try {
      // Taken before the build: a file that changes during it makes the target stale again.
      const made = fingerprint(target.inputs);
      writeStamp(stampOf(target), undefined);
      await target.build();
      writeStamp(stampOf(target), made);
    } catch (error) {
      process.stderr.write(" failed.\n");
      throw error;
    }
    process.stderr.write(` ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  }
  return stale.map(({ name }) => name);
}
