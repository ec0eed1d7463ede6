// `node scripts/bundle.js`: makes the tree of hive and worker that other machines of the household run. A machine that
// builds its own (installing by git) runs this too, so it needs no more than Node 20 and npm.
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { usePackagedNode } from "./packaged-node.js";
import { Refusal, script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { root } from "./prepare/root.js";

const help = `Makes the self-contained tree of rbee's hive and worker, Node included, for a machine of any supported platform.

Usage: node scripts/bundle.js [--platform OS-ARCH] [--gpu KIND] [--out FOLDER | --archive FILE]

  --platform OS-ARCH   linux-x64, linux-arm64, darwin-arm64 or darwin-x64; this machine's unless given
  --gpu KIND           none, cuda, vulkan or metal; none unless given
  --out FOLDER         writes the tree into this folder, which must be empty or not exist yet
  --archive FILE       writes it as .tar.gz; rbee-hive-<platform>.tar.gz here unless given
  --cache FOLDER       where archives and fetched packages are kept; node_modules/.cache/rbee unless given
  --help               prints this text

Example: node scripts/bundle.js --platform linux-arm64 --archive pi.tar.gz
`;

const options = /** @type {const} */ ({
  platform: { type: "string" },
  gpu: { type: "string", default: "none" },
  out: { type: "string" },
  archive: { type: "string" },
  cache: { type: "string", default: join(root, "node_modules", ".cache", "rbee") },
  help: { type: "boolean", short: "h", default: false },
});

function readFlags() {
  try {
    const { values } = parseArgs({ options, strict: true, allowPositionals: false });
    if (values.out !== undefined && values.archive !== undefined) throw new Error("Give --out or --archive, not both.");
    return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nSee --help.\n`);
    process.exit(2);
  }
}

class Interrupted extends Error {}

/**
 * Progress as lines: one for each phase, and for each package that is fetched.
 * @returns {(progress: import("../packages/bundle/src/index.ts").BundleProgress) => void}
 */
function narrator() {
  let last = "";
  return ({ phase, what }) => {
    const line = phase === "fetch" ? `Fetching ${what}…` : phase === "pack" ? "Writing…" : "";
    if (line === last || line === "") return;
    last = line;
    process.stderr.write(`${line}\n`);
  };
}

/** @param {ReturnType<typeof readFlags>} flags */
async function main({ platform: machine, gpu, out, archive, cache }) {
  const { buildStale } = await import("./prepare/build.js");
  await buildStale({ only: ["worker", "hive"] });
  const bundle = await import("../packages/bundle/src/index.ts");
  const [os, arch] = machine?.split("-") ?? [];
  const parsed = bundle.bundlePlatformSchema.safeParse(
    machine === undefined ? { ...bundle.hostPlatform(), gpu } : { os, arch, gpu },
  );
  if (!parsed.success) throw new Refusal("There are bundles for linux and darwin, x64 and arm64; see --help.");
  const stop = new AbortController();
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.once(signal, () => stop.abort(new Interrupted()));
  const common = { root, cache: resolve(cache), platform: parsed.data, signal: stop.signal, onProgress: narrator() };
  if (out !== undefined) {
    const { build } = await bundle.makeTree({ ...common, out });
    process.stdout.write(`${resolve(out)} (build ${build})\n`);
    return;
  }
  const made = await bundle.makeBundle(common);
  const { copyFile, rename } = await import("node:fs/promises");
  const to = resolve(archive ?? `rbee-hive-${bundle.platformName(parsed.data)}.tar.gz`);
  const unfinished = join(to, "..", `.${basename(to)}.${process.pid}`);
  await copyFile(made.file, unfinished);
  await rename(unfinished, to);
  process.stdout.write(
    `${to} (build ${made.manifest.build}, ${(made.bytes / 1e6).toFixed(1)} MB, sha256 ${made.sha256})\n`,
  );
}

await script(async () => {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { RbeeError } = await import("../packages/contract/src/index.ts");
  try {
    await main(flags);
  } catch (error) {
    if (error instanceof Interrupted) process.exit(130);
    if (!(error instanceof RbeeError)) throw error;
    throw new Refusal([error.message, error.suggestion].filter((line) => line !== undefined).join("\n"));
  }
});
