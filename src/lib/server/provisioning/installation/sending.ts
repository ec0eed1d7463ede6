import { RbeeError } from "@rbee/contract";
import { type Bundle, type BundlePlatform, type BundleProgress, makeBundle, readBundle } from "@rbee/bundle";
import { bindToJob, narrate, progress, step } from "@rbee/jobs";
import { join } from "node:path";
import { type Facts, hasCuda, platformOf } from "../preflight/index.ts";
import type { Parts } from "../parts.ts";
import { upload, type UploadProgress } from "../ssh/index.ts";
import { treeName } from "../layout.ts";
import { type Remote, run, runWriting } from "./remote.ts";
import { archiveNameOf, makeFoldersScript, unpackScript } from "./trees.ts";

const prepareLimitMs = 240_000;
const copyLimitMs = 280_000;
/** How often a copy that was cut off is taken up again. */
const mostResumes = 2;
/** The tree is this many times as large as its archive. */
const unpackedFactor = 3.5;

const inMb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * The step `bundle_prepare`: makes the archive for a machine, or takes the one that was made before. A machine with an
 * NVIDIA card gets the build for it where that can be had, else the CPU's, and a warning.
 * @throws {RbeeError} as `makeBundle` does
 */
export function prepareBundle(parts: Parts, facts: Facts): Promise<Bundle> {
  const message = `Preparing what ${facts.machine.name} needs`;
  return step("bundle_prepare", { timeoutMs: prepareLimitMs, message }, async (signal) => {
    const platform = platformOf(facts);
    if (platform === null) throw new RbeeError("backend_unavailable", "There is no bundle for this machine.");
    const make = (gpu: BundlePlatform["gpu"]) =>
      makeBundle({
        root: parts.root,
        cache: join(parts.home, "bundles"),
        platform: { ...platform, gpu },
        signal,
        // Making a bundle is shared by the jobs that wait for it.
        onProgress: bindToJob(tellOf),
      });
    let bundle: Bundle | null = null;
    if (hasCuda(facts))
      bundle = await make("cuda").catch((error: unknown) => {
        signal.throwIfAborted();
        const why = error instanceof Error ? error.message : "it cannot be made";
        narrate({
          action: "no_cuda_bundle",
          level: "warn",
          message: `The build for NVIDIA cards cannot be had (${why}), so this machine gets the one for its CPU.`,
          data: { suggestion: "Upgrade the hive when the queen's machine reaches npm's registry." },
        });
        return null;
      });
    bundle ??= await make(platform.os === "darwin" && platform.arch === "arm64" ? "metal" : "none");
    const { manifest, bytes } = bundle;
    narrate({
      action: "bundle_ready",
      message: `rbee ${manifest.version}, build ${manifest.build}, with Node ${manifest.node}: ${inMb(bytes)}.`,
      data: { ...manifest, bytes },
    });
    return bundle;
  });
}

function tellOf({ phase, done, total, unit, what }: BundleProgress): void {
  if (phase === "fetch" && what !== undefined) narrate({ action: "fetch", message: `Fetching ${what}.` });
  progress({ phase: `bundle_${phase}`, done, total, unit });
}

/**
 * The step `bundle_prepare` of an archive that was made before: reads what it is, and refuses one for other machines.
 * @throws {RbeeError} `invalid_request` when it is no such archive or cannot be read; `backend_unavailable` when it is
 *   for another platform.
 */
export function readArchive(path: string, facts: Facts): Promise<Bundle> {
  return step("bundle_prepare", { timeoutMs: 60_000, message: `Reading ${path}` }, async (signal) => {
    const bundle = await readBundle(path, signal);
    const { platform, version, build } = bundle.manifest;
    const wanted = platformOf(facts);
    if (wanted?.os !== platform.os || wanted.arch !== platform.arch)
      throw new RbeeError(
        "backend_unavailable",
        `${path} is for ${platform.os}-${platform.arch}, and ${facts.machine.name} is ${facts.machine.os}-${facts.machine.arch}.`,
        {
          details: {
            requested: `${facts.machine.os}-${facts.machine.arch}`,
            available: [`${platform.os}-${platform.arch}`],
          },
          suggestion: "Make one for that machine: node scripts/bundle.js --platform …",
        },
      );
    if (platform.gpu === "cuda" && !hasCuda(facts))
      throw new RbeeError(
        "backend_unavailable",
        `${path} is for NVIDIA cards, and ${facts.machine.name} has none that works.`,
      );
    narrate({ action: "bundle_ready", message: `rbee ${version}, build ${build}: ${inMb(bundle.bytes)}.` });
    return bundle;
  });
}

/** The step `create_dir`. @param archive the archive that may be resumed, if one will be copied */
export function createFolders(remote: Remote, archive: Bundle | null): Promise<void> {
  const { layout, name } = remote;
  return step("create_dir", { timeoutMs: 30_000, message: `Making folders on ${name}` }, async (signal) => {
    const script = makeFoldersScript(layout, archive === null ? null : archiveNameOf(archive.sha256));
    await run(remote, "create_dir", script, signal);
  });
}

/**
 * The steps `copying` and `chmod`: sends an archive and unpacks it. A connection that is lost while copying is opened
 * again, and the copy goes on where it was.
 * @returns the tree's name
 * @throws {RbeeError} as `upload` does
 */
export async function sendBundle(remote: Remote, bundle: Bundle): Promise<string> {
  const { layout, machine, name } = remote;
  const archive = `${layout.hive}/${archiveNameOf(bundle.sha256)}`;
  const tree = treeName(bundle.manifest);
  const message = `Copying ${inMb(bundle.bytes)} to ${name}`;
  await step("copying", { timeoutMs: copyLimitMs, message, timeoutCode: "ssh_timeout" }, async (signal) => {
    const send = () =>
      machine.use(signal, (connection) =>
        upload(connection, bundle.file, archive, {
          signal,
          mode: 0o600,
          // The connection may be older than this job, and its events then are not the job's.
          onProgress: bindToJob(({ doneBytes, totalBytes }: UploadProgress) => {
            progress({ phase: "copying", done: doneBytes, total: totalBytes, unit: "bytes" });
          }),
        }),
      );
    for (let resumes = 0; ; resumes += 1) {
      try {
        const { resumedBytes } = await send();
        if (resumedBytes > 0)
          narrate({ action: "resumed", message: `${inMb(resumedBytes)} of it were there already.` });
        return;
      } catch (error) {
        const isLost = error instanceof RbeeError && error.code === "ssh_connection_lost";
        if (!isLost || resumes >= mostResumes) throw error;
        signal.throwIfAborted();
        narrate({ action: "resuming", level: "warn", message: `${error.message} Connecting again to go on.` });
      }
    }
  });
  await step("chmod", { timeoutMs: 60_000, message: `Unpacking on ${name}` }, async (signal) => {
    const needBytes = Math.round(bundle.bytes * unpackedFactor);
    await runWriting(remote, "unpack", unpackScript(layout, archive, tree), signal, {
      path: `${layout.hive}/${tree}`,
      needBytes,
    });
  });
  return tree;
}
