import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { RbeeError } from "@rbee/contract";
import { Header, Pax } from "tar";
import type { TreeFile } from "./plan.ts";

/** Of every file in every archive, so that the same files give the same bytes. */
const changedAt = new Date("2000-01-01T00:00:00Z");
const blockBytes = 512;
const pieceBytes = 1 << 20;
/** Measured: a third larger than the best costs a second on the wire, the best costs five on the processor. */
const gzipLevel = 4;

export interface Packed {
  readonly bytes: number;
  readonly sha256: string;
}

function head(path: string, bytes: number, executable: boolean): Buffer {
  const mode = executable ? 0o755 : 0o644;
  const data = { path, mode, size: bytes, mtime: changedAt, type: "File", uid: 0, gid: 0 } as const;
  const header = new Header(data);
  header.encode();
  const block = header.block ?? Buffer.alloc(0);
  // Paths that do not fit into the header itself.
  return header.needPax ? Buffer.concat([new Pax({ path, mtime: changedAt }).encode(), block]) : block;
}

async function* contents(file: TreeFile): AsyncGenerator<Buffer> {
  if ("text" in file.content) {
    yield Buffer.from(file.content.text);
    return;
  }
  let read = 0;
  for await (const piece of createReadStream(file.content.file, { highWaterMark: pieceBytes })) {
    const bytes = piece as Buffer;
    read += bytes.length;
    yield bytes;
  }
  if (read !== file.bytes)
    throw new RbeeError("internal_error", `The file ${file.path} changed while it was packed.`, {
      suggestion: "Try again when nothing is being built or installed.",
    });
}

async function* blocks(files: readonly TreeFile[], onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield head(file.path, file.bytes, file.executable);
    for await (const piece of contents(file)) {
      yield piece;
      onBytes(piece.length);
    }
    const over = file.bytes % blockBytes;
    if (over !== 0) yield Buffer.alloc(blockBytes - over);
  }
  yield Buffer.alloc(2 * blockBytes);
}

/**
 * Packs files into a `.tar.gz`. The same files give the same bytes, whenever and by whomever they are packed.
 * @param onBytes Is told how many bytes of the files went in, piece by piece.
 * @throws {RbeeError} `internal_error` when a file changes meanwhile; else what the file system says, or the signal's
 *   reason.
 */
export async function writeArchive(
  to: string,
  files: readonly TreeFile[],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Packed> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(
    Readable.from(blocks(sorted, onBytes)),
    createGzip({ level: gzipLevel, memLevel: 9, chunkSize: pieceBytes }),
    async function* (packed: AsyncIterable<Buffer>) {
      for await (const piece of packed) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    },
    createWriteStream(to),
    { signal },
  );
  return { bytes, sha256: hash.digest("hex") };
}
