import { spawn } from "node:child_process";
import { root } from "./root.js";

/** @type {readonly NodeJS.Signals[]} */
const interruptions = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a program in the repository's root and waits for its end. When this process is told to end meanwhile, the
 * program is told first, and this process ends (exit code 130) as soon as it has gone.
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
    let interrupted = false;
    const interrupt = (/** @type {NodeJS.Signals} */ signal) => {
      interrupted = true;
      child.kill(signal);
    };
    for (const signal of interruptions) process.on(signal, interrupt);
    const settle = () => {
      for (const signal of interruptions) process.off(signal, interrupt);
      if (interrupted) process.exit(130);
    };
    child.on("error", (error) => {
      settle();
      resolve({ code: 127, signal: null, output: `${program}: ${error.message}\n` });
    });
    child.on("close", (code, signal) => {
      settle();
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
