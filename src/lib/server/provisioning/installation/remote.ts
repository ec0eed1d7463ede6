import { RbeeError } from "@rbee/contract";
import type { Machine } from "../access.ts";
import type { Layout } from "../layout.ts";
import type { HiveService } from "../service/index.ts";
import { exec, type ExecOptions, type ExecResult, fileFailed, readRemoteFile, writeRemoteFile } from "../ssh/index.ts";

/** A machine that is being worked on: where things are there, and how its hive is kept running. */
export interface Remote {
  readonly machine: Machine;
  readonly layout: Layout;
  readonly service: HiveService;
  /** How the machine is called in messages. */
  readonly name: string;
}

/**
 * Runs a script of `sh` on a machine.
 * @param name the step for people, as in `"unpack" failed …`
 * @throws {RbeeError} as `exec` does
 */
export function run(
  { machine }: Pick<Remote, "machine">,
  name: string,
  script: string,
  signal: AbortSignal,
  options: Omit<ExecOptions, "name" | "signal"> = {},
): Promise<ExecResult> {
  return machine.use(signal, (connection) => exec(connection, script, { ...options, name, signal }));
}

/**
 * As `run`, for scripts that write much.
 * @param write what is written, and how much of it, for the error that a full disk gives
 * @throws {RbeeError} `insufficient_disk`, or as `exec` does
 */
export function runWriting(
  { machine }: Pick<Remote, "machine">,
  name: string,
  script: string,
  signal: AbortSignal,
  write: { path: string; needBytes: number },
): Promise<ExecResult> {
  return machine.use(signal, async (connection) => {
    const end = await exec(connection, script, { name, signal, allowFailure: true });
    if (end.exitCode === 0) return end;
    const error = await fileFailed(connection, { action: "write", ...write }, end);
    if (error.code === "insufficient_disk") throw error;
    throw new RbeeError("ssh_command_failed", `"${name}" failed with exit code ${end.exitCode}: ${error.message}`, {
      details: { ...error.details, step: name },
      suggestion: error.suggestion,
    });
  });
}

/** A small file's text; null when there is none. @throws {RbeeError} as `readRemoteFile` does */
export async function readText({ machine }: Remote, path: string, signal: AbortSignal): Promise<string | null> {
  const bytes = await machine.use(signal, (connection) => readRemoteFile(connection, path, { signal }));
  return bytes === null ? null : bytes.toString("utf8");
}

/** Writes a small file that only its owner may read. @throws {RbeeError} as `writeRemoteFile` does */
export function writeText({ machine }: Remote, path: string, text: string, signal: AbortSignal): Promise<void> {
  return machine.use(signal, (connection) => writeRemoteFile(connection, path, text, { signal }));
}
