import { createReadStream, createWriteStream, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { temporaryFolder } from "./folder.ts";
import { run } from "./ssh-host/run.ts";

/** What becomes of a bundle when it is made anew for a test. */
export interface Variant {
  /** Twelve hexadecimal digits. */
  readonly build: string;
  readonly version?: string;
  /** What its hive does instead of being one; `--version` still answers. */
  readonly instead?: string;
  /** What it says it is for; such an archive holds nothing else. */
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
  const content = platform === undefined ? ["."] : ["bundle.json", "bin"];
  await run("tar", ["-cf", join(folder.path, "tar"), "-C", tree, ...content]);
  // Packing well would take longer than copying more.
  await pipeline(createReadStream(join(folder.path, "tar")), createGzip({ level: 0 }), createWriteStream(to));
  folder.remove();
  return to;
}
