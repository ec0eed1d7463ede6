import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { RbeeError } from "@rbee/contract";
import { list } from "tar";
import type { Bundle } from "./bundle.ts";
import { launcherFile } from "./launcher.ts";
import { bundleManifestSchema, manifestFile } from "./manifest.ts";

const plain = (path: string) => path.replace(/^\.\//u, "");

/**
 * Reads what an archive is that `makeBundle` or `scripts/bundle.js` has made.
 * @throws {RbeeError} `invalid_request` (param `method`) when the file cannot be read or is no such archive; or the
 *   signal's reason.
 */
export async function readBundle(file: string, signal?: AbortSignal): Promise<Bundle> {
  const refused = (why: string, cause?: unknown) =>
    new RbeeError("invalid_request", `${file} ${why}.`, {
      param: "method",
      suggestion: "Name an archive on the queen's machine that scripts/bundle.js has made.",
      cause,
    });
  const info = await stat(file).catch((error: unknown) => {
    throw refused("cannot be read", error);
  });
  if (!info.isFile()) throw refused("is no file");
  let manifest = "";
  let hasLauncher = false;
  const hash = createHash("sha256");
  try {
    await list({
      file,
      strict: true,
      onReadEntry(entry) {
        if (plain(entry.path) === launcherFile) hasLauncher = true;
        if (plain(entry.path) === manifestFile)
          entry.on("data", (bytes: Buffer) => (manifest += bytes.toString("utf8")));
      },
    });
    await pipeline(createReadStream(file), hash, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw refused("is no archive that can be read", error);
  }
  const parsed = bundleManifestSchema.safeParse(parseJson(manifest));
  if (!parsed.success || !hasLauncher) throw refused("is no bundle of rbee");
  return { file, bytes: info.size, sha256: hash.digest("hex"), manifest: parsed.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
