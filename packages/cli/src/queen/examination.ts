import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { hiveSettings, loadSettings, queenSettings, SettingsError } from "@rbee/settings";
import { findLocalQueen } from "../connection/run-file.ts";
import { formatBytes } from "../terminal/format.ts";
import { programRoot } from "../program-root.ts";

/** What the doctor found about one thing. */
export interface Finding {
  readonly name: string;
  readonly state: "good" | "warning" | "bad";
  readonly detail: string;
  /** How to mend it. */
  readonly remedy?: string;
}

const good = (name: string, detail: string): Finding => ({ name, state: "good", detail });
const bad = (name: string, detail: string, remedy: string): Finding => ({ name, state: "bad", detail, remedy });

const neededMajor = 26;
const enoughDiskBytes = 2e9;
const leastDiskBytes = 2e8;

/** Loads native code in a process of its own, since a module that does not fit can take its process down. */
const nativeModules = [
  {
    name: "database",
    code: 'const { default: D } = await import("better-sqlite3"); new D(":memory:").exec("select 1")',
  },
  { name: "passwords", code: 'const { hash } = await import("@node-rs/argon2"); await hash("x")' },
  {
    name: "engine",
    code: 'const { getLlama } = await import("node-llama-cpp"); await (await getLlama({ gpu: false, build: "never", logLevel: "disabled" })).dispose()',
  },
];

function node(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  const packaged = process.execPath.startsWith(programRoot) ? "packaged" : `not the packaged one: ${process.execPath}`;
  return major >= neededMajor
    ? good("Node", `${process.versions.node} (${packaged})`)
    : bad(
        "Node",
        `${process.versions.node} is too old`,
        `Run \`npm ci\` in ${programRoot}: it brings Node ${neededMajor}.`,
      );
}

async function nativeModule({ name, code }: { name: string; code: string }): Promise<Finding> {
  try {
    // The engine forks with this process's own flags, so `--input-type` must not be among them.
    await promisify(execFile)(process.execPath, ["-e", `(async () => { ${code} })()`], {
      cwd: programRoot,
      timeout: 30_000,
    });
    return good(name, "its native module loads");
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const reason = /^\w*Error:? .*$/mu.exec(stderr ?? "")?.[0] ?? "its native module crashes";
    return bad(name, reason, `Run \`npm ci\` in ${programRoot} again.`);
  }
}

/** The nearest folder on the way up that exists. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

function dataFolder(home: string): Finding {
  const folder = existing(home);
  try {
    if (!statSync(folder).isDirectory())
      return bad("data folder", `${folder} is not a folder`, "Set RBEE_HOME to one.");
    accessSync(folder, constants.W_OK | constants.X_OK);
    return good("data folder", folder === home ? home : `${home} (made at the first start)`);
  } catch {
    return bad("data folder", `${folder} cannot be written`, "Change its owner, or set RBEE_HOME to another folder.");
  }
}

async function disk(home: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(existing(home));
  const free = bavail * bsize;
  const detail = `${formatBytes(free)} free beside ${home}`;
  const remedy = "Free some space, or set RBEE_HOME to a folder on a larger disk.";
  if (free < leastDiskBytes) return bad("disk", detail, remedy);
  return free < enoughDiskBytes ? { name: "disk", state: "warning", detail, remedy } : good("disk", detail);
}

/** Why a port cannot be listened on, or undefined when it can. */
function refusal(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EADDRINUSE" ? "is taken by another program" : (error.code ?? error.message));
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function portOf(name: string, port: number, host: string, variable: string, ours: boolean): Promise<Finding> {
  if (port === 0) return good(name, "any free one");
  const why = await refusal(port, host);
  if (why === undefined) return good(name, `${port} is free`);
  if (ours) return good(name, `${port} is rbee's own`);
  return bad(name, `${port} ${why}`, `Stop that program, or set ${variable} to another port.`);
}

/** The file that names machines, which the queen reads as `ssh` does. */
function sshConfig(): Finding {
  const file = join(homedir(), ".ssh/config");
  if (!existsSync(file)) return good("ssh config", "none; machines are named by user and address");
  try {
    readFileSync(file);
    return good("ssh config", file);
  } catch {
    const remedy = `Make it yours: chmod 600 ${file}`;
    return { name: "ssh config", state: "warning", detail: `${file} cannot be read`, remedy };
  }
}

/** Whether the ssh agent of the environment answers; without one, keys come from files. */
async function sshAgent(socket: string | undefined): Promise<Finding> {
  if (socket === undefined || socket === "") return good("ssh agent", "none; keys are read from ~/.ssh");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket, () => {
    resolve(true);
  }).once("error", () => {
    resolve(false);
  });
  const answers = await promise;
  connection.destroy();
  if (answers) return good("ssh agent", "answers");
  const remedy = "Start it again with `eval $(ssh-agent)`, or unset SSH_AUTH_SOCK.";
  return { name: "ssh agent", state: "warning", detail: `does not answer at ${socket}`, remedy };
}

interface TestPrerequisites {
  prerequisites: Record<string, { name: string; debianPackage: string; isPresent(): boolean | Promise<boolean> }>;
}

async function testPrerequisites(): Promise<Finding[]> {
  const file = pathToFileURL(join(programRoot, "scripts/test/prerequisites.js")).href;
  const { prerequisites } = (await import(file)) as TestPrerequisites;
  return Promise.all(
    Object.values(prerequisites).map(async ({ name, debianPackage, isPresent }) =>
      (await isPresent())
        ? good(name, "is installed")
        : bad(name, "is not installed; tests need it", `On Debian: sudo apt-get install ${debianPackage}.`),
    ),
  );
}

/** Checks everything that rbee needs on this machine, each thing on its own. It never throws. */
export async function examine(options: { env: NodeJS.ProcessEnv; forTests: boolean }): Promise<Finding[]> {
  const { env } = options;
  const first = [node(), ...(await Promise.all(nativeModules.map(nativeModule)))];
  const tests = options.forTests ? await testPrerequisites() : [];
  let settings;
  try {
    const queen = loadSettings(queenSettings, { env }).values;
    settings = { queen, hive: loadSettings(hiveSettings, { env }).values };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return [...first, bad("settings", error.message, "`rbee config` lists every setting."), ...tests];
  }
  const { queen, hive } = settings;
  const running = findLocalQueen(queen.home);
  return [
    ...first,
    good("settings", "every setting is valid"),
    dataFolder(queen.home),
    await disk(queen.home),
    await portOf("queen's port", queen.port, queen.host, "RBEE_PORT", running !== undefined),
    await portOf("hive's port", hive.port, hive.host, "RBEE_HIVE_PORT", running !== undefined),
    sshConfig(),
    await sshAgent(env["SSH_AUTH_SOCK"]),
    ...tests,
  ];
}
