import { randomBytes } from "node:crypto";
import type { SshConnection } from "./connection.ts";
import { exec } from "./exec.ts";
import { fileFailed } from "./file-errors.ts";
import { quote } from "./remote-shell.ts";
import { remotePath } from "./remote-path.ts";

const defaultMaxBytes = 262_144;
const absent = 44;
const tooLarge = 45;
const cutOff = 46;

/**
 * Reads a small file of the host; null when there is none.
 * @param maxBytes at most 256 KB, which is the default
 * @throws RbeeError `ssh_command_failed` when it may not be read or is larger, or as `exec` does
 */
export async function readRemoteFile(
  connection: SshConnection,
  path: string,
  { maxBytes = defaultMaxBytes, signal }: { maxBytes?: number; signal?: AbortSignal | undefined } = {},
): Promise<Buffer | null> {
  const place = await remotePath(connection, path);
  // As hexadecimal text, so that any content passes through a channel that is read as lines.
  const script = `f=${quote(place)}
[ -e "$f" ] || exit ${absent}
size=$(wc -c <"$f") || exit 1
[ "$size" -le ${Math.min(maxBytes, defaultMaxBytes)} ] || { echo "it has $size bytes, more than expected" >&2; exit ${tooLarge}; }
od -An -v -tx1 "$f"`;
  const end = await exec(connection, script, { name: "read a file", signal, allowFailure: true });
  if (end.exitCode === absent) return null;
  if (end.exitCode !== 0) throw await fileFailed(connection, { action: "read", path: place }, end);
  return Buffer.from(end.stdout.replace(/\s+/g, ""), "hex");
}

/**
 * Writes a small file on the host at once: readers see the old content or the new, never a part. Its folder must exist.
 * @param mode the file's permissions, 0600 by default
 * @throws RbeeError `insufficient_disk`, `ssh_command_failed` with the path, or as `exec` does
 */
export async function writeRemoteFile(
  connection: SshConnection,
  path: string,
  content: string | Uint8Array,
  { mode = 0o600, signal }: { mode?: number; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const data = Buffer.from(content);
  const place = await remotePath(connection, path);
  // A connection that is cut also ends the input, hence the size.
  const script = `f=${quote(place)}
new=${quote(`${place}.${randomBytes(6).toString("hex")}.new`)}
[ ! -d "$f" ] || { echo "there is a folder of that name" >&2; exit 1; }
umask 077
cat >"$new" || { code=$?; rm -f "$new"; exit $code; }
[ "$(wc -c <"$new")" -eq ${data.length} ] || { rm -f "$new"; exit ${cutOff}; }
chmod ${mode.toString(8).padStart(4, "0")} "$new" && mv -f "$new" "$f"`;
  const feed = data.length === 0 ? [] : [data];
  const end = await exec(connection, script, {
    name: "write a file",
    feed: (async function* () {
      yield* feed;
    })(),
    signal,
    allowFailure: true,
  });
  if (end.exitCode !== 0)
    throw await fileFailed(connection, { action: "write", path: place, needBytes: data.length }, end);
}
