import { statfs } from "node:fs/promises";
import { RbeeError } from "@rbee/contract";

const bytesPerMb = 1024 * 1024;

/** Bytes that this user may still write where `path` lies; null when the system does not say. */
export async function freeBytes(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** @param needBytes that are still to be written. @param haveBytes that are free. */
export function insufficientDisk(needBytes: number, haveBytes: number | null): RbeeError {
  const need = Math.ceil(needBytes / bytesPerMb);
  const have = haveBytes === null ? null : Math.floor(haveBytes / bytesPerMb);
  return new RbeeError(
    "insufficient_disk",
    `The download needs ${need} MB of disk space on this machine, and ${have === null ? "too few" : `${have} MB`} are free.`,
    {
      details: { need_mb: need, have_mb: have },
      suggestion: "Delete a model (`rbee model rm`), take a smaller one, or set RBEE_HIVE_HOME to a larger disk.",
    },
  );
}

/** Whether the system says that there is no room. */
export function isDiskFull(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return code === "ENOSPC" || code === "EDQUOT";
}
