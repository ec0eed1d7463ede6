// `npm start`: installs what is missing, builds what is stale, and runs the queen in this process.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

/**
 * `npm start` puts npm and a shell above this process, and the shell passes no signal on: when either is killed, this
 * process would live on unseen. It ends itself then, as if it had been told to.
 */
function endWithNpm() {
  if (process.env["npm_lifecycle_event"] !== "start") return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 500);
  watch.unref();
}

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { applyFlags } = await import("./prepare/flags.js");
  if (!(await applyFlags(process.argv.slice(2)))) return;
  const { buildStale } = await import("./prepare/build.js");
  await buildStale();
  endWithNpm();
  // In this process, so that Ctrl-C and a supervisor's signal reach the queen herself.
  await import("../server.js");
});
