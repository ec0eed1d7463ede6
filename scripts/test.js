// `npm test [-- --suite unit …]`: installs what is missing, then runs every suite and sums up.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { runSuites } = await import("./test/run.js");
  await runSuites(process.argv.slice(2));
});
