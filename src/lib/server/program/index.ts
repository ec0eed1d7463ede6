import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";

const manifestSchema = z.object({ name: z.string(), version: z.string() });

function findProgram(from: string): { root: string; version: string } {
  const file = join(from, "package.json");
  let text: string | undefined;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    text = undefined;
  }
  const manifest = text === undefined ? undefined : manifestSchema.safeParse(JSON.parse(text)).data;
  if (manifest?.name === "rbee") return { root: from, version: manifest.version };
  const parent = dirname(from);
  if (parent === from) throw new Error("package.json of rbee was not found above the program's own files");
  return findProgram(parent);
}

/**
 * Where rbee's own files lie (the folder with `package.json`, `drizzle/` and `packages/`), and its version. Found by
 * walking up, because the built queen lies deeper than its sources.
 */
export const program = findProgram(import.meta.dirname);
