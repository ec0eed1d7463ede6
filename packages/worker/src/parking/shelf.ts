import { randomBytes } from "node:crypto";
import { readdirSync, renameSync, rmSync, statfsSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

/** Parked conversations are called by whose and what they are, and then by a random number. */
const parkedName = /^([0-9a-f]{32})-[0-9a-f]{16}\.parked$/u;

export interface ShelfOptions {
  /** A private folder, which the workers of this hive share. */
  readonly folder: string;
  /** All files in it together. */
  readonly limitBytes: number;
  /** Disk space that is left free. */
  readonly marginBytes: number;
}

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/** The files of parked conversations: those used longest ago make room for new ones. */
export class Shelf {
  readonly #options: ShelfOptions;

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  /** The paths of files whose names begin so, used last first. */
  find(names: string): string[] {
    return this.#entries((name) => parkedName.exec(name)?.[1] === names)
      .sort((one, other) => other.usedMs - one.usedMs)
      .map(({ path }) => path);
  }

  /**
   * Makes room for a file, removing those used longest ago. Answers why there is none; null when there is, or the
   * path would be free.
   */
  makeRoom(bytes: number): string | null {
    const { folder, limitBytes, marginBytes } = this.#options;
    if (bytes > limitBytes) return "it is larger than all parked conversations may be together";
    const entries = this.#entries().sort((one, other) => one.usedMs - other.usedMs);
    let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const entry of entries) {
      if (total + bytes <= limitBytes) break;
      this.remove(entry.path);
      total -= entry.bytes;
    }
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes + marginBytes ? null : "the disk has no room for it";
  }

  /** Where a new file is written, and where it is once it is whole. */
  newPaths(names: string): { readonly part: string; readonly whole: string } {
    const name = `${names}-${randomBytes(8).toString("hex")}`;
    const { folder } = this.#options;
    return { part: join(folder, `${name}.part`), whole: join(folder, `${name}.parked`) };
  }

  finish({ part, whole }: { readonly part: string; readonly whole: string }): void {
    renameSync(part, whole);
  }

  used(path: string): void {
    const now = new Date();
    utimesSync(path, now, now);
  }

  remove(path: string): void {
    rmSync(path, { force: true });
  }

  #entries(wanted: (name: string) => boolean = () => true): Entry[] {
    const { folder } = this.#options;
    return readdirSync(folder).flatMap((name) => {
      if (!wanted(name)) return [];
      const path = join(folder, name);
      // Another worker of this hive may just remove it.
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ path, bytes: stat.size, usedMs: stat.mtimeMs }];
    });
  }
}
