import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { RbeeError } from "@rbee/contract";
import * as z from "zod";

/** A way to start npm. */
export interface Npm {
  readonly program: string;
  readonly before: readonly string[];
}

/** Where programs lie that a service's short PATH does not name. */
const usualFolders = ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"];

/**
 * Finds npm: the one that runs us, else one beside this Node, else one on PATH or in the usual folders; null when there
 * is none.
 */
export function findNpm(
  env: NodeJS.ProcessEnv = process.env,
  folders: readonly string[] = usualFolders,
  node: string = process.execPath,
): Npm | null {
  const byScript = (script: string): Npm => ({ program: process.execPath, before: [script] });
  const running = env["npm_execpath"];
  if (running?.endsWith("npm-cli.js") === true && existsSync(running)) return byScript(running);
  const beside = ["../lib/node_modules", "node_modules"]
    .map((modules) => join(dirname(node), modules, "npm", "bin", "npm-cli.js"))
    .find((script) => existsSync(script));
  if (beside !== undefined) return byScript(beside);
  const program = [...(env["PATH"] ?? "").split(delimiter).filter((one) => one !== ""), ...folders]
    .map((folder) => join(folder, "npm"))
    .find((file) => existsSync(file));
  if (program === undefined) return null;
  const script = realpathSync(program);
  return script.endsWith("npm-cli.js") ? byScript(script) : { program, before: [] };
}

const failureSchema = z.object({
  error: z.object({ code: z.string().optional(), summary: z.string().optional() }).catch({}),
});

export interface NpmCall {
  readonly npm: Npm | null;
  readonly args: readonly string[];
  /** Whose `.npmrc` counts. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** What the call is for, as the object of "npm could not …". */
  readonly purpose: string;
}

/**
 * Runs npm with JSON output and gives what it printed. An abort ends npm and everything it started.
 * @throws {RbeeError} `download_failed` when there is no npm or it fails, with its own words; `download_not_found` when
 *   the registry lacks the package; `checksum_mismatch` when npm itself refuses what arrived; or the signal's reason.
 */
export async function runNpm({ npm, args, cwd, env, signal, purpose }: NpmCall): Promise<string> {
  signal?.throwIfAborted();
  if (npm === null)
    throw new RbeeError("download_failed", `rbee could not ${purpose}: npm is not installed on this machine.`, {
      suggestion: "Install Node with npm from https://nodejs.org, then try again.",
    });
  const { code, stdout, stderr } = await output(npm, args, cwd, env, signal);
  signal?.throwIfAborted();
  if (code === 0) return stdout;
  throw failure(purpose, code, stdout, stderr);
}

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function output(
  npm: Npm,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Output> {
  return new Promise((resolve) => {
    const given = [...npm.before, ...args, "--json", "--ignore-scripts", "--loglevel=error", "--no-update-notifier"];
    // A process group of its own: where `npm` is a shell script, ending that alone would leave npm running.
    const detached = process.platform !== "win32";
    const child = spawn(npm.program, given, { cwd, env, detached, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.stderr += text));
    const end = () => {
      if (child.pid === undefined) return;
      try {
        if (detached) process.kill(-child.pid, "SIGKILL");
        else child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    signal?.addEventListener("abort", end, { once: true });
    const settle = (code: number) => {
      signal?.removeEventListener("abort", end);
      resolve({ code, ...texts });
    };
    child.on("error", (error) => {
      texts.stderr += error.message;
      settle(127);
    });
    child.on("close", (code) => settle(code ?? 1));
  });
}

function failure(purpose: string, exitCode: number, stdout: string, stderr: string): RbeeError {
  const { code, summary } = reported(stdout);
  const words = (summary ?? stderr.trim().split("\n").slice(-5).join("\n")).trim() || `exit code ${exitCode}`;
  const details = { exit_code: exitCode, ...(code === undefined ? {} : { npm_code: code }) };
  if (code === "E404" || code === "ETARGET")
    return new RbeeError(
      "download_not_found",
      `rbee could not ${purpose}: npm's registry does not have it (${words}).`,
      {
        details,
        suggestion: "Check which registry `npm config get registry` names on the queen's machine.",
      },
    );
  if (code === "EINTEGRITY")
    return new RbeeError("checksum_mismatch", `rbee could not ${purpose}: what npm received is damaged (${words}).`, {
      details,
      suggestion: "Try again; if it stays so, `npm cache verify` and the registry are what to look at.",
    });
  return new RbeeError("download_failed", `rbee could not ${purpose}: npm says: ${words}`, {
    details,
    suggestion: "Check that the queen's machine reaches npm's registry: `npm ping`.",
  });
}

function reported(stdout: string): { code?: string | undefined; summary?: string | undefined } {
  try {
    const parsed = failureSchema.safeParse(JSON.parse(stdout));
    return parsed.success ? parsed.data.error : {};
  } catch {
    return {};
  }
}
