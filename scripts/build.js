// `npm run build [-- [--force] [queen] [hive] [worker] [cli]]`: builds what is stale, or what is named.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { buildStale } = await import("./prepare/build.js");
  const args = process.argv.slice(2);
  const only = args.filter((arg) => !arg.startsWith("-"));
  const built = await buildStale({ force: args.includes("--force"), ...(only.length === 0 ? {} : { only }) });
  if (built.length === 0) process.stderr.write("Everything is built already.\n");
});
