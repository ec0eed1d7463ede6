import { mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { processStartedAt } from "./hardware/processes.ts";

/** Something about the hive's folder that a person must mend; the message is one line. */
export class HomeError extends Error {
  override readonly name = "HomeError";
}

/** Where this hive's workers keep conversations that lost their slot. */
export const parkedFolder = (home: string): string => join(home, "parked");

/** Makes the hive's folders, readable by their owner only. */
export function makeHome(home: string): void {
  try {
    for (const folder of [home, join(home, "models"), join(home, "logs"), join(home, "run"), parkedFolder(home)]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new HomeError(`The folder ${home} cannot be used (${code ?? "unknown error"}); set RBEE_HIVE_HOME.`);
  }
}

/** Writes a file with a secret: readers see the old one or the new one, and only their owner sees any. */
export function writeSecretFile(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, content, { mode: 0o600, flag: "wx", flush: true });
  renameSync(temporary, path);
}

const lockSchema = z.object({ pid: z.int(), started_at: z.string().nullable() });

function holderOf(path: string): number | undefined {
  let lock;
  try {
    lock = lockSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
  if (lock.pid === process.pid) return undefined;
  const startedAt = processStartedAt(lock.pid);
  return startedAt !== null && startedAt === lock.started_at ? lock.pid : undefined;
}

/**
 * Takes the folder for this process; the answer gives it back. A lock whose holder is dead is taken over.
 * @throws {HomeError} when another hive uses the folder.
 */
export function lockHome(home: string): () => void {
  const path = join(home, "hive.lock");
  const content = JSON.stringify({ pid: process.pid, started_at: processStartedAt(process.pid) });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const file = openSync(path, "wx", 0o600);
      writeFileSync(file, content);
      closeSync(file);
      return () => {
        rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = holderOf(path);
      if (holder !== undefined) throw new HomeError(`A hive already uses ${home} (process ${holder}).`);
      rmSync(path, { force: true });
    }
  }
  throw new HomeError(`Another hive is just taking ${home}.`);
}
