import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";

/** Where Linux keeps files in memory. */
const memoryFolder = "/dev/shm";
/** Room in memory that is left to others. */
const marginBytes = Math.max(256 * 1024 ** 2, totalmem() / 10);

/** A file for a plain state on its way. It is gone once it is closed, or its process has ended in whatever way. */
export interface ScratchFile {
  /** Opens the file for the engine. */
  readonly path: string;
  readonly bytes: number;
  /** Fills a buffer from `position`; answers how much there was. */
  read(buffer: Uint8Array, position: number): number;
  write(buffer: Uint8Array, position: number): void;
  /** What was written to it by its path. */
  wrote(bytes: number): void;
  close(): void;
}

function hasRoomInMemory(bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(memoryFolder);
    // What is in there counts as this process's memory, which its group may be held to.
    return Math.min(bavail * bsize, process.availableMemory()) >= bytes + marginBytes;
  } catch {
    return false;
  }
}

class OpenFile implements ScratchFile {
  readonly path: string;
  bytes = 0;
  readonly #descriptor: number;
  readonly #remove: () => void;
  #open = true;

  constructor(descriptor: number, path: string, remove: () => void) {
    this.#descriptor = descriptor;
    this.path = path;
    this.#remove = remove;
  }

  read(buffer: Uint8Array, position: number): number {
    let done = 0;
    while (done < buffer.length) {
      const read = readSync(this.#descriptor, buffer, done, buffer.length - done, position + done);
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  write(buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length;)
      done += writeSync(this.#descriptor, buffer, done, buffer.length - done, position + done);
    this.bytes = Math.max(this.bytes, position + buffer.length);
  }

  wrote(bytes: number): void {
    this.bytes = bytes;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#descriptor);
    this.#remove();
  }
}

/**
 * Makes files for plain states. On Linux they are in memory where that has room and have no name, so that a process
 * which is killed leaves nothing behind; elsewhere they are this user's alone and removed when they are closed.
 */
export class Scratch {
  readonly #folder: string;

  /** `folder` is a private one for what does not fit into memory. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A new, empty file. Throws what the file system throws. */
  open(expectedBytes: number): ScratchFile {
    const nameless = existsSync("/proc/self/fd");
    const parent = nameless && hasRoomInMemory(expectedBytes) ? memoryFolder : this.#folder;
    const folder = mkdtempSync(join(parent, "rbee-state-"));
    const name = join(folder, "state");
    const removeAll = () => {
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const descriptor = openSync(name, "wx+", 0o600);
      if (!nameless) return new OpenFile(descriptor, name, removeAll);
      unlinkSync(name);
      removeAll();
      return new OpenFile(descriptor, `/proc/self/fd/${descriptor}`, () => {});
    } catch (error) {
      removeAll();
      throw error;
    }
  }
}
