import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import type { HivesConfEntry } from "./entry.ts";
import { parseHivesConf } from "./parse.ts";

/** What `hives.conf` declares. */
export interface HivesConf {
  readonly path: string;
  readonly entries: readonly HivesConfEntry[];
  /** What to do when there is nothing in it; null when there is. */
  readonly hint: string | null;
}

/** Far above any household. */
const mostBytes = 1_048_576;

/**
 * Reads `hives.conf`; a file that is missing declares nothing.
 * @param configDir the folder of the administrator's files
 * @throws {RbeeError} `invalid_request` naming every mistake, or why the file cannot be read.
 */
export async function readHivesConf(configDir: string): Promise<HivesConf> {
  const path = join(configDir, "hives.conf");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      return {
        path,
        entries: [],
        hint: `${path} does not exist. Write a [[hive]] with an alias into it for each machine.`,
      };
    throw new RbeeError("invalid_request", `${path} cannot be read (${code}).`, {
      param: "hives.conf",
      suggestion: "It must be a file that the account of the queen may read.",
    });
  }
  if (text.length > mostBytes)
    throw new RbeeError("invalid_request", `${path} is larger than 1 MB.`, { param: "hives.conf" });
  const entries = parseHivesConf(text, path);
  return { path, entries, hint: entries.length === 0 ? `${path} has no [[hive]] in it.` : null };
}
