import { execFile } from "node:child_process";

/** Runs a program to its end and gives its stdout. @throws Error with its stderr when it fails */
export async function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    execFile(program, args, { maxBuffer: 16 * 1_048_576 }, (error, stdout, stderr) => {
      if (error) fail(new Error(`${program} ${args.join(" ")}: ${stderr.trim() || error.message}`, { cause: error }));
      else done(stdout);
    }).stdin?.end();
  });
}

/** As `run`, for cleaning up: what is gone already is no failure. */
export async function tryRun(program: string, args: readonly string[]): Promise<void> {
  await run(program, args).catch(() => {});
}
