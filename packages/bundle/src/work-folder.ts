import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const prefix = ".making-";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * A folder for what is not finished yet, inside `parent` so that finishing is a rename. Those that processes left behind
 * when they were killed are removed.
 */
export async function workFolder(parent: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  await mkdir(parent, { recursive: true });
  const gone = (await readdir(parent)).filter((name) => {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    return pid > 0 && !isAlive(pid);
  });
  await Promise.all(gone.map((name) => rm(join(parent, name), { recursive: true, force: true })));
  const path = await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
