import { accessSync, constants, existsSync, statSync } from "node:fs";
import { readdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { formatBytes } from "../terminal/format.ts";
import { fail, ok, warn, type Check, type Finding } from "./finding.ts";

const enoughDiskBytes = 2e9;
const leastDiskBytes = 2e8;

/** The nearest folder on the way up that exists. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

function folder(name: string, path: string, variable: string): Finding {
  const there = existing(path);
  try {
    const { mode } = statSync(there);
    if (!statSync(there).isDirectory()) return fail(name, `${there} is not a folder`, `Set ${variable} to one.`);
    accessSync(there, constants.W_OK | constants.X_OK);
    if (there !== path) return ok(name, `${path} (made at the first start)`);
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      return warn(name, `${path} can be opened by other users of this machine`, `Make it yours: chmod 700 ${path}`);
    return ok(name, path);
  } catch {
    return fail(name, `${there} cannot be written`, `Change its owner, or set ${variable} to another folder.`);
  }
}

async function disk(name: string, path: string, variable: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(existing(path));
  const free = bavail * bsize;
  const detail = `${formatBytes(free)} free beside ${path}`;
  const remedy = `Free some space, or set ${variable} to a folder on a larger disk.`;
  if (free < leastDiskBytes) return fail(name, detail, remedy);
  return free < enoughDiskBytes ? warn(name, detail, remedy) : ok(name, detail);
}

/** Files that hold secrets: whoever reads them can be the queen, or her administrator. */
function secretFile(file: string): Finding[] {
  if (!existsSync(file) || process.platform === "win32") return [];
  const name = "secret files";
  return (statSync(file).mode & 0o077) === 0
    ? []
    : [fail(name, `other users of this machine can read ${file}`, `Make it yours: chmod 600 ${file}`)];
}

async function downloads(hiveHome: string): Promise<Finding> {
  const name = "downloads";
  const at = join(hiveHome, "models/.downloads");
  const parts = (await readdir(at).catch(() => [])).filter((file) => file.endsWith(".part"));
  if (parts.length === 0) return ok(name, "none is unfinished");
  const bytes = parts.reduce((sum, file) => sum + (statSync(join(at, file), { throwIfNoEntry: false })?.size ?? 0), 0);
  return ok(name, `${parts.length} unfinished (${formatBytes(bytes)}); pulling the model again goes on there`);
}

/** Where queen and hive keep what they know. */
export function folderChecks({ home, hiveHome }: { home: string; hiveHome: string }): readonly Check[] {
  const elsewhere = !hiveHome.startsWith(`${home}/`);
  return [
    { name: "data folder", look: () => folder("data folder", home, "RBEE_HOME") },
    { name: "disk", look: () => disk("disk", home, "RBEE_HOME") },
    ...(elsewhere
      ? [
          { name: "hive's folder", look: () => folder("hive's folder", hiveHome, "RBEE_HIVE_HOME") },
          { name: "hive's disk", look: () => disk("hive's disk", hiveHome, "RBEE_HIVE_HOME") },
        ]
      : []),
    {
      name: "secret files",
      look: () => {
        const wrong = [join(home, "queen.key"), join(home, "local-token"), join(hiveHome, "hive.json")].flatMap(
          secretFile,
        );
        return wrong.length > 0 ? wrong : ok("secret files", "only you can read them");
      },
    },
    { name: "downloads", look: () => downloads(hiveHome) },
  ];
}
