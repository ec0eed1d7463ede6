import { readFileSync } from "node:fs";
import * as z from "zod";
import packageJson from "../package.json" with { type: "json" };

/** The version of this hive, as it is told to the queen. */
export const version: string = packageJson.version;

/** Which bundle this hive runs from; null when it runs from a checkout, which has no `bundle.json` beside it. */
export const build: string | null = readBuild();

function readBuild(): string | null {
  try {
    const manifest: unknown = JSON.parse(readFileSync(new URL("../../../bundle.json", import.meta.url), "utf8"));
    return z.object({ build: z.string() }).parse(manifest).build;
  } catch {
    return null;
  }
}
