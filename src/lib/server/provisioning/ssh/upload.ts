import { createHash, randomBytes, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RbeeError } from "@rbee/contract";
import type { SshConnection } from "./connection.ts";
import { hostLabel } from "./errors.ts";
import { exec } from "./exec.ts";
import { checkRoom, fileFailed } from "./file-errors.ts";
import { quote } from "./remote-shell.ts";
import { remotePath } from "./remote-path.ts";

/** Bytes that are on the host already, and in all where that is known. */
export interface UploadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number | null;
}

export interface UploadOptions {
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Stops the upload; what is on the host already stays there for the next one to resume. */
  readonly signal?: AbortSignal | undefined;
  /** The file's permissions, 0644 by default. */
  readonly mode?: number | undefined;
}

export interface UploadResult {
  /** The absolute path on the host. */
  readonly path: string;
  readonly bytes: number;
  /** How many of the bytes were there from an earlier upload. */
  readonly resumedBytes: number;
  readonly sha256: string;
}

/** A file that can be read from any byte on, or a stream that is read once. */
type Source =
  | { readonly kind: "file"; readonly path: string; readonly totalBytes: number; readonly sha256: string }
  | { readonly kind: "stream"; readonly stream: Readable };

const chunkBytes = 262_144;
const wrongSum = 65;

/**
 * Copies a file (by its path) or a stream to the host. It goes to a `.part` file beside the target that is checked
 * there by its SHA-256 and then takes the target's place at once. A file that was cut off is resumed: its `.part` is
 * named after the content, so that a file which has changed since starts anew. Streams cannot be resumed.
 * The bytes travel through `cat` rather than SFTP: that works on hosts whose start-up files print noise, which breaks
 * SFTP, and on hosts that have no SFTP server.
 * @param path where to; `~/` and relative paths start at the home folder, the folder must exist
 * @throws RbeeError `insufficient_disk` (before the first byte where the host says what is free), `ssh_command_failed`
 *   with the path, `checksum_mismatch`, `ssh_connection_lost`; the signal's reason
 */
export async function upload(
  connection: SshConnection,
  content: string | Readable,
  path: string,
  options: UploadOptions = {},
): Promise<UploadResult> {
  const { signal, mode = 0o644 } = options;
  const source = await openSource(content, signal);
  const place = await remotePath(connection, path);
  const label = source.kind === "file" ? source.sha256.slice(0, 16) : randomBytes(8).toString("hex");
  const part = `${place}.${label}.part`;
  for (let fresh = false; ; fresh = true) {
    const sent = await send(connection, source, { place, part, fresh }, options);
    const { sha256 } = sent;
    const fits = await putInPlace(connection, { part, place, sha256, mode }, signal);
    if (fits) return { path: place, ...sent };
    if (sent.resumedBytes === 0) throw wrongContent(connection, place, sha256);
  }
}

async function openSource(content: string | Readable, signal: AbortSignal | undefined): Promise<Source> {
  if (typeof content !== "string") return { kind: "stream", stream: content };
  const { size } = await stat(content);
  const hash = createHash("sha256");
  await pipeline(createReadStream(content, { highWaterMark: 1_048_576 }), hash, signal === undefined ? {} : { signal });
  return { kind: "file", path: content, totalBytes: size, sha256: hash.digest("hex") };
}

async function send(
  connection: SshConnection,
  source: Source,
  { place, part, fresh }: { place: string; part: string; fresh: boolean },
  { signal, onProgress }: UploadOptions,
): Promise<Omit<UploadResult, "path">> {
  const totalBytes = source.kind === "file" ? source.totalBytes : null;
  const present = fresh || totalBytes === null ? 0 : await presentBytes(connection, part, signal);
  const resumedBytes = totalBytes !== null && present <= totalBytes ? present : 0;
  if (totalBytes !== null) await checkRoom(connection, place, totalBytes - resumedBytes, signal);
  let doneBytes = resumedBytes;
  onProgress?.({ doneBytes, totalBytes });
  const hash = createHash("sha256");
  const stream =
    source.kind === "stream"
      ? source.stream
      : createReadStream(source.path, { start: resumedBytes, highWaterMark: chunkBytes });
  try {
    const end = await exec(connection, `umask 077; exec cat ${resumedBytes > 0 ? ">>" : ">"}${quote(part)}`, {
      name: "copy a file",
      feed: hashed(stream, hash),
      onFed(bytes) {
        doneBytes += bytes;
        onProgress?.({ doneBytes, totalBytes });
      },
      signal,
      allowFailure: true,
    });
    const needBytes = totalBytes === null ? 0 : totalBytes - resumedBytes;
    if (end.exitCode !== 0) throw await fileFailed(connection, { action: "write", path: place, needBytes }, end);
  } finally {
    stream.destroy();
  }
  return { bytes: doneBytes, resumedBytes, sha256: source.kind === "file" ? source.sha256 : hash.digest("hex") };
}

async function* hashed(stream: Readable, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const data of stream as AsyncIterable<Uint8Array | string>) {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    hash.update(bytes);
    yield bytes;
  }
}

/** The size of what an earlier upload left; 0 when there is nothing. */
async function presentBytes(connection: SshConnection, part: string, signal: AbortSignal | undefined): Promise<number> {
  const script = `[ ! -f ${quote(part)} ] || wc -c <${quote(part)}`;
  const { stdout } = await exec(connection, script, { name: "look for a partial file", signal, allowFailure: true });
  return Number.parseInt(stdout.trim() || "0", 10) || 0;
}

/** Checks the part file and renames it; false when it has another content, which is then removed. */
async function putInPlace(
  connection: SshConnection,
  { part, place, sha256, mode }: { part: string; place: string; sha256: string; mode: number },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const script = `part=${quote(part)}
place=${quote(place)}
if [ -d "$place" ]; then rm -f "$part"; echo "there is a folder of that name" >&2; exit 1; fi
if command -v sha256sum >/dev/null 2>&1; then sum=$(sha256sum <"$part")
elif command -v shasum >/dev/null 2>&1; then sum=$(shasum -a 256 <"$part")
elif command -v openssl >/dev/null 2>&1; then sum=$(openssl dgst -sha256 <"$part")
else echo "none of sha256sum, shasum and openssl is there to check the file with" >&2; exit 1; fi
case $sum in
  *${sha256}*) chmod ${mode.toString(8).padStart(4, "0")} "$part" && mv -f "$part" "$place" ;;
  *) rm -f "$part"; exit ${wrongSum} ;;
esac`;
  const end = await exec(connection, script, { name: "put the file in its place", signal, allowFailure: true });
  if (end.exitCode === wrongSum) return false;
  if (end.exitCode !== 0) throw await fileFailed(connection, { action: "write", path: place }, end);
  return true;
}

function wrongContent(connection: SshConnection, path: string, sha256: string): RbeeError {
  return new RbeeError(
    "checksum_mismatch",
    `${path} arrived on ${hostLabel(connection.target)} with another content than it was sent with.`,
    { details: { host: connection.target.name, path, sha256 }, suggestion: "Try again; check that machine's disk." },
  );
}
