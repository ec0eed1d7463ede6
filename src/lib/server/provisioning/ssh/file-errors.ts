import { RbeeError } from "@rbee/contract";
import type { SshConnection } from "./connection.ts";
import { diskFull, hostLabel } from "./errors.ts";
import { exec, type ExecResult } from "./exec.ts";
import { lastLines } from "./output.ts";
import { quote } from "./remote-shell.ts";
import { folderOf } from "./remote-path.ts";

const bytesPerMb = 1_048_576;

/** Bytes an ordinary account may still write to the disk that holds a folder; null when the host cannot say. */
export async function bytesFree(
  connection: SshConnection,
  folder: string,
  signal?: AbortSignal,
): Promise<number | null> {
  const disk = await exec(connection, `df -Pk ${quote(folder)}`, {
    name: "see how much disk is free",
    signal,
    allowFailure: true,
  });
  const kib = /^\S.*?\s(\d+)\s+(\d+)\s+(-?\d+)\s+\d+%/m.exec(disk.stdout)?.[3];
  return kib === undefined ? null : Number(kib) * 1024;
}

/**
 * The error for a file operation that ended badly: `insufficient_disk` when there is no room where `path` is, else
 * `ssh_command_failed` with the path and the host's own words.
 * @param needBytes what was to be written
 */
export async function fileFailed(
  connection: SshConnection,
  { action, path, needBytes = 0 }: { action: "read" | "write"; path: string; needBytes?: number },
  end: Pick<ExecResult, "exitCode" | "signal" | "stderr">,
): Promise<RbeeError> {
  const { target } = connection;
  if (/no space left|disk quota exceeded|disk full/i.test(end.stderr)) {
    const free = await bytesFree(connection, folderOf(path)).catch(() => null);
    return diskFull(target, path, inMb(needBytes), free === null ? null : Math.floor(free / bytesPerMb));
  }
  const said = lastLines(end.stderr, 5);
  const reason = said.at(-1)?.replace(/[.:\s]+$/, "") ?? `exit code ${end.exitCode}`;
  return new RbeeError("ssh_command_failed", `Could not ${action} ${path} on ${hostLabel(target)}: ${reason}.`, {
    details: { host: target.name, step: action, path, exit_code: end.exitCode, signal: end.signal, last_lines: said },
    suggestion: suggestionFor(end.stderr),
  });
}

/** `insufficient_disk` before anything is written; null when there is room, or the host cannot say. */
export async function checkRoom(
  connection: SshConnection,
  path: string,
  needBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const free = await bytesFree(connection, folderOf(path), signal);
  if (free === null || free >= needBytes) return;
  throw diskFull(connection.target, path, inMb(needBytes), Math.floor(free / bytesPerMb));
}

function inMb(bytes: number): number {
  return Math.ceil(bytes / bytesPerMb);
}

function suggestionFor(text: string): string {
  if (/permission denied|not permitted|read-only/i.test(text))
    return "Check who owns the folder, and that the account may write there.";
  if (/no such file|nonexistent|not found|can't open/i.test(text)) return "Check that the folder exists there.";
  return "Check the path and the disk on that machine.";
}
