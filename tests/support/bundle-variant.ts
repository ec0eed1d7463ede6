import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./folder.ts";
import { run } from "./ssh-host/run.ts";

/** What becomes of a bundle when it is made anew for a test. */
export interface Variant {
  /** Twelve hexadecimal digits. */
  readonly build: string;
  readonly version?: string;
  /** What its hive does instead of being one; `--version` still answers. */
  readonly instead?: string;
  readonly platform?: { os: string; arch: string; gpu: string };
}

/** Makes another version out of a bundle's archive; gives the new archive's path. */
export async function bundleVariant(archive: string, to: string, variant: Variant): Promise<string> {
  const folder = temporaryFolder("variant");
  const tree = join(folder.path, "tree");
  await mkdir(tree);
  await run("tar", ["-xzf", archive, "-C", tree]);
  const manifestPath = join(tree, "bundle.json");
  const manifest = JSON.parse(readFileSync(manifestPath, "utf8")) as Record<string, unknown>;
  const { build, version, instead, platform } = variant;
  writeFileSync(
    manifestPath,
    JSON.stringify({ ...manifest, build, ...(version && { version }), ...(platform && { platform }) }),
  );
  if (instead !== undefined) {
    const program = `if (process.argv.includes("--version")) console.log("rbee-hive ${String(version ?? manifest["version"])}");
else { ${instead} }
`;
    writeFileSync(join(tree, "packages/hive/bin/rbee-hive.js"), program);
  }
  await run("tar", ["--use-compress-program=gzip -1", "-cf", to, "-C", tree, "."]);
  folder.remove();
  return to;
}
