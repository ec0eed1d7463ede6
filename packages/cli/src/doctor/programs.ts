import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { programRoot } from "../program-root.ts";
import { fail, ok, warn, type Check, type Finding } from "./finding.ts";

const run = promisify(execFile);
const neededMajor = 26;
const majorOf = (version: string) => Number(/^v?(\d+)/u.exec(version)?.[1] ?? 0);

/** The Node that runs rbee: the packaged one, whichever is on PATH. */
function node(): Finding {
  const { node: version } = process.versions;
  const packaged = process.execPath.startsWith(programRoot) ? "packaged" : `not the packaged one: ${process.execPath}`;
  return majorOf(version) >= neededMajor
    ? ok("Node", `${version} (${packaged})`)
    : fail("Node", `${version} is too old`, `Run \`npm ci\` in ${programRoot}: it brings Node ${neededMajor}.`);
}

/** The Node that starts npm and rbee, before rbee goes on with its own. */
async function ownNode(): Promise<Finding> {
  const asked = await run("node", ["--version"], { timeout: 5_000 }).catch(() => undefined);
  if (asked === undefined)
    return warn("Node on PATH", "there is none", "`npm start` needs one, 20 or newer; rbee itself runs on its own.");
  const version = asked.stdout.trim();
  return majorOf(version) >= 20
    ? ok("Node on PATH", `${version}; enough to start rbee`)
    : fail("Node on PATH", `${version} is too old to start rbee`, "Install Node 20 or newer from https://nodejs.org.");
}

/** Loads native code in a process of its own, since a module that does not fit can take its process down. */
const nativeModules = [
  {
    name: "database driver",
    code: 'const { default: D } = await import("better-sqlite3"); new D(":memory:").exec("select 1")',
  },
  { name: "password hashing", code: 'const { hash } = await import("@node-rs/argon2"); await hash("x")' },
  {
    name: "engine",
    code: 'const { getLlama } = await import("node-llama-cpp"); await (await getLlama({ gpu: false, build: "never", logLevel: "disabled" })).dispose()',
  },
];

async function nativeModule({ name, code }: { name: string; code: string }): Promise<Finding> {
  try {
    // The engine forks with this process's own flags, so `--input-type` must not be among them.
    await run(process.execPath, ["-e", `(async () => { ${code} })()`], { cwd: programRoot, timeout: 18_000 });
    return ok(name, "its native module loads");
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const reason = /^\w*Error:? .*$/mu.exec(stderr ?? "")?.[0] ?? "its native module crashes";
    return fail(name, reason, `Run \`npm ci\` in ${programRoot} again.`);
  }
}

function packages(): Finding {
  return existsSync(join(programRoot, "node_modules/.package-lock.json")) ||
    existsSync(join(programRoot, "node_modules/better-sqlite3"))
    ? ok("packages", "are installed")
    : fail("packages", "are not installed", `Run \`npm ci\` in ${programRoot}.`);
}

const programs = {
  queen: "build/handler.js",
  hive: "packages/hive/dist/main.js",
  worker: "packages/worker/dist/main.js",
};

function builds(): Finding {
  const missing = Object.entries(programs).flatMap(([name, file]) =>
    existsSync(join(programRoot, file)) ? [] : [name],
  );
  return missing.length === 0
    ? ok("programs", "queen, hive and worker are built")
    : warn("programs", `not built yet: ${missing.join(", ")}`, "`npm start` builds them, or `npm run build`.");
}

/** What rbee is made of: Node, its packages, and its own programs. */
export const programChecks: readonly Check[] = [
  { name: "Node", look: node },
  { name: "Node on PATH", look: ownNode },
  { name: "packages", look: packages },
  ...nativeModules.map((module) => ({ name: module.name, look: () => nativeModule(module) })),
  { name: "programs", look: builds },
];
