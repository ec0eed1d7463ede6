import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { processStartedAt } from "../hardware/processes.ts";
import type { Logger } from "../log.ts";

/** The kernel's limit is 104 bytes on macOS and 108 on Linux, the terminating zero included. */
const socketPathLimit = 100;
const privateFolderPrefix = "rbee-hive-";

const recordSchema = z.object({ pid: z.int(), started_at: z.string().nullable(), socket_path: z.string() });

/** The sockets of this hive's workers, and a record of each process so that the next hive can end what is left over. */
export class RunFiles {
  readonly #folder: string;
  #socketFolder: string | undefined;

  constructor(home: string) {
    this.#folder = join(home, "run");
  }

  /** Where a worker's socket is: beside the records, or in a private folder where that path would be too long. */
  socketPath(name: string): string {
    if (process.platform === "win32") return `\\\\.\\pipe\\rbee-${name}`;
    const path = join(this.#folder, `${name}.sock`);
    if (Buffer.byteLength(path) < socketPathLimit) return path;
    // mkdtemp makes the folder for this user alone.
    this.#socketFolder ??= mkdtempSync(join(tmpdir(), privateFolderPrefix));
    return join(this.#socketFolder, `${name}.sock`);
  }

  record(name: string, pid: number, socketPath: string): void {
    const record = { pid, started_at: processStartedAt(pid), socket_path: socketPath };
    writeFileSync(join(this.#folder, `${name}.json`), JSON.stringify(record), { mode: 0o600 });
  }

  forget(name: string, socketPath: string): void {
    rmSync(socketPath, { force: true });
    rmSync(join(this.#folder, `${name}.json`), { force: true });
  }

  /** Ends worker processes that a killed hive left behind, and removes everything in the folder. */
  endLeftovers(log: Logger): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.endsWith(".json")) endOne(path, log);
      rmSync(path, { force: true, recursive: true });
    }
  }

  close(): void {
    if (this.#socketFolder !== undefined) rmSync(this.#socketFolder, { force: true, recursive: true });
    this.#socketFolder = undefined;
  }
}

function endOne(path: string, log: Logger): void {
  let record;
  try {
    record = recordSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return;
  }
  const { pid, started_at, socket_path } = record;
  const folder = dirname(socket_path);
  if (basename(folder).startsWith(privateFolderPrefix) && dirname(folder) === tmpdir())
    rmSync(folder, { force: true, recursive: true });
  // The number alone proves nothing: another program may have it by now.
  if (started_at === null || processStartedAt(pid) !== started_at) return;
  try {
    process.kill(pid, "SIGKILL");
    log.warn({ pid }, `Ended worker process ${pid}, which an earlier hive left behind.`);
  } catch {
    // It ended on its own in the meantime.
  }
}
