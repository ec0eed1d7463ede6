// `npm run llama:build`: builds llama.cpp's own server, and the program that lends devices to it, from the source that
// comes with the engine. Hives of this machine find them by themselves then.
import { parseArgs } from "node:util";
import { usePackagedNode } from "./packaged-node.js";
import { Refusal, script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";

const help = `Builds llama-server and ggml-rpc-server for this machine, from the llama.cpp that comes with the engine.

Usage: npm run llama:build -- [--backend NAME]… [--jobs N] [--force] [--check]

  --backend NAME   cpu, cuda, metal or vulkan, once for each; what this machine can use unless given
  --jobs N         compilers at the same time; one for each processor unless given
  --force          builds even when this release is built already
  --check          builds nothing: says where they are, and fails when they are not there
  --help           prints this text

They go to RBEE_LLAMA_FOLDER (~/.cache/rbee/llama.cpp). It takes 10 to 15 minutes on two cores, longer with CUDA.
`;

const options = /** @type {const} */ ({
  backend: { type: "string", multiple: true },
  jobs: { type: "string" },
  force: { type: "boolean", default: false },
  check: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
});

function readFlags() {
  try {
    const { values } = parseArgs({ options, strict: true, allowPositionals: false });
    const jobs = values.jobs === undefined ? undefined : Number(values.jobs);
    if (jobs !== undefined && (!Number.isInteger(jobs) || jobs < 1)) throw new Error("--jobs takes a whole number.");
    return { ...values, jobs };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nSee --help.\n`);
    process.exit(2);
  }
}

await script(async () => {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { llamaPlace, isBuilt } = await import("./llama/place.js");
  const { chooseBackends } = await import("./llama/backends.js");
  const place = llamaPlace();
  if (flags.check) {
    if (!isBuilt(place, [])) throw new Refusal(`llama.cpp ${place.release} is not built: npm run llama:build`);
    process.stdout.write(`${place.bin}\n`);
    return;
  }
  const backends = await chooseBackends(flags.backend);
  if (!flags.force && isBuilt(place, backends)) {
    process.stdout.write(`llama.cpp ${place.release} is built already: ${place.bin}\n`);
    return;
  }
  const { buildLlama } = await import("./llama/build.js");
  await buildLlama(place, backends, flags.jobs);
  process.stdout.write(`Built: ${place.bin}\nHives of this machine find them there; start them again to be sure.\n`);
});
