// `npm start`: installs what is missing, builds what is stale, and runs the queen in this process.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { applyFlags } = await import("./prepare/flags.js");
  if (!(await applyFlags(process.argv.slice(2)))) return;
  const { buildStale } = await import("./prepare/build.js");
  await buildStale();
  // In this process, so that Ctrl-C and a supervisor's signal reach the queen herself.
  await import("../server.js");
});
