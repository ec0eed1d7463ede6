import { open, stat, type FileHandle } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { readLogLines } from "../worker-process/log-file.ts";

const lookEveryMs = 200;
const blockBytes = 65_536;

export interface LogStreamOptions {
  readonly path: string;
  /** How many of the lines that are there. */
  readonly lines: number;
  /** Whether to go on with those to come, until the reader cancels. */
  readonly follow: boolean;
}

/**
 * The end of a log file as text, the file it was turned over from (`<path>.1`) included. When it is followed across
 * another turn, the rest of the old file comes first. It reads no faster than it is read.
 */
export function logStream({ path, lines, follow }: LogStreamOptions): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const file = new FollowedFile(path);
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      // Whoever writes meanwhile only makes a line come with the next block.
      if (follow) await file.toEnd();
      const text = new TextEncoder().encode(readLogLines(path, lines, follow ? file.position : undefined));
      if (text.length > 0) controller.enqueue(text);
      if (!follow) controller.close();
    },
    async pull(controller) {
      for (;;) {
        const block = await file.next();
        if (gone.signal.aborted) break;
        if (block !== undefined) {
          controller.enqueue(block);
          return;
        }
        await delay(lookEveryMs, undefined, { signal: gone.signal, ref: false }).catch(() => {});
      }
      await file.close();
    },
    cancel() {
      gone.abort();
      return file.close();
    },
  });
}

/** What is appended to a file, and to the one that takes its name when it is turned over or cut. */
class FollowedFile {
  readonly #path: string;
  #handle: FileHandle | undefined;
  #position = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get position(): number {
    return this.#position;
  }

  async toEnd(): Promise<void> {
    this.#handle = await this.#open();
    this.#position = (await this.#handle?.stat())?.size ?? 0;
  }

  /** The next bytes; undefined when there are none now. */
  async next(): Promise<Uint8Array | undefined> {
    try {
      const block = await this.#read();
      if (block !== undefined || !(await this.#turned())) return block;
      // Between the reading and the turning something may have been written.
      const rest = await this.#read();
      if (rest !== undefined) return rest;
      await this.close();
      this.#handle = await this.#open();
      this.#position = 0;
      return await this.#read();
    } catch {
      // Closed by the reader's leaving, or on a disk that fails: either way there is nothing to tell now.
      return undefined;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }

  #open(): Promise<FileHandle | undefined> {
    return open(this.#path, "r").catch(() => undefined);
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#handle === undefined) return undefined;
    const { bytesRead, buffer } = await this.#handle.read(new Uint8Array(blockBytes), 0, blockBytes, this.#position);
    this.#position += bytesRead;
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
  }

  async #turned(): Promise<boolean> {
    const now = await stat(this.#path).catch(() => undefined);
    if (now === undefined) return false;
    const ours = await this.#handle?.stat();
    return ours === undefined || ours.ino !== now.ino || ours.dev !== now.dev || now.size < this.#position;
  }
}
