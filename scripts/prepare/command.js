import { spawn } from "node:child_process";
import { root } from "./root.js";

/**
 * Runs a program in the repository's root and waits for its end.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv; show?: boolean; shell?: boolean }} [options] `show` lets its output through
 *   instead of collecting it; its input is always empty.
 * @returns {Promise<{ code: number; signal: NodeJS.Signals | null; output: string }>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: options.env ?? process.env,
      shell: options.shell ?? false,
      stdio: ["ignore", options.show === true ? "inherit" : "pipe", options.show === true ? "inherit" : "pipe"],
    });
    let output = "";
    const collect = (/** @type {Buffer} */ chunk) => (output += chunk.toString());
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.on("error", (error) => {
      resolve({ code: 127, signal: null, output: `${program}: ${error.message}\n` });
    });
    child.on("close", (code, signal) => {
      resolve({ code: code ?? 1, signal, output });
    });
  });
}

/**
 * A person's mistake or a machine's lack: shown as its message alone, without a stack.
 */
export class Refusal extends Error {
  /** @override */
  name = "Refusal";
}

/**
 * Runs a script's main function; a `Refusal` ends it with one message and exit code 1.
 * @param {() => Promise<void>} main
 */
export async function script(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
