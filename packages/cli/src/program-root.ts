import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** rbee's own folder. This file and the bundle that it ends up in lie equally deep. */
export const programRoot = fileURLToPath(new URL("../../../", import.meta.url));

/** The version of this rbee. */
export function programVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(`${programRoot}package.json`, "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "0";
}
