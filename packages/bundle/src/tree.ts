import { constants } from "node:fs";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TreeFile } from "./plan.ts";

/** Writes files below a folder, which is made. `onFile` is told how many are there. */
export async function writeTree(
  to: string,
  files: readonly TreeFile[],
  onFile: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, { path, content, executable }] of files.entries()) {
    signal?.throwIfAborted();
    const target = join(to, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    if ("text" in content) await writeFile(target, content.text);
    else await copyFile(content.file, target, constants.COPYFILE_FICLONE);
    await chmod(target, executable ? 0o755 : 0o644);
    onFile(index + 1);
  }
}
