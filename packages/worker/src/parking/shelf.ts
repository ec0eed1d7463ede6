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
    const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    let freed = 0;
    const leaving = entries.filter((entry) => {
      if (total - freed + bytes <= limitBytes) return false;
      freed += entry.bytes;
      return true;
    });
    const { bavail, bsize } = statfsSync(folder);
    // Nobody leaves for one that has no room even then.
    if (bavail * bsize + freed < bytes + marginBytes) return "the disk has no room for it";
    for (const { path } of leaving) this.remove(path);
    return null;
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

  /** Notes that a file was used, where that can be noted: what can be read may be on a disk that cannot be written. */
  used(path: string): void {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {
      // It goes earlier than it might, and no more than that.
    }
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
