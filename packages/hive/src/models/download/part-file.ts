import { createHash, type Hash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import * as z from "zod";

/** What the server said of the file that the part is a part of; the same server must say the same again. */
const originSchema = z.object({ server: z.string(), etag: z.string() });

const readSize = 1024 * 1024;

/**
 * A file that is being downloaded, and the hash of what is there. What an earlier process left is read again, so that
 * the hash is always that of the bytes on disk.
 */
export class PartFile {
  readonly path: string;
  readonly #file: FileHandle;
  #hash: Hash;
  #size: number;

  private constructor(path: string, file: FileHandle, hash: Hash, size: number) {
    this.path = path;
    this.#file = file;
    this.#hash = hash;
    this.#size = size;
  }

  /** Opens the part, or begins one. One that is longer than the whole is begun anew. */
  static async open(path: string, wholeBytes: number, signal: AbortSignal): Promise<PartFile> {
    const file = await open(path, "a+", 0o600);
    try {
      const { size } = await file.stat();
      const part = new PartFile(path, file, createHash("sha256"), 0);
      if (size > wholeBytes) await part.restart();
      else await part.#readAgain(size, signal);
      return part;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Buffer): Promise<void> {
    let written = 0;
    while (written < chunk.length) {
      const { bytesWritten } = await this.#file.write(chunk, written);
      written += bytesWritten;
    }
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** SHA-256 of what is there, in hex. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash("sha256");
    this.#size = 0;
    rmSync(`${this.path}.json`, { force: true });
  }

  /** What that server said when it sent the beginning; undefined when it was another server. */
  etagOf(server: string): string | undefined {
    try {
      const origin = originSchema.parse(JSON.parse(readFileSync(`${this.path}.json`, "utf8")));
      return origin.server === server ? origin.etag : undefined;
    } catch {
      return undefined;
    }
  }

  noteEtag(server: string, etag: string): void {
    writeFileSync(`${this.path}.json`, JSON.stringify({ server, etag }), { mode: 0o600 });
  }

  /** Makes sure that the bytes are on the disk, and closes. */
  async close(): Promise<void> {
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  async #readAgain(size: number, signal: AbortSignal): Promise<void> {
    const buffer = Buffer.allocUnsafe(readSize);
    while (this.#size < size) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, readSize, this.#size);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#size += bytesRead;
    }
  }
}

/** Removes a part and what is noted beside it. */
export function removePart(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}.json`, { force: true });
}
