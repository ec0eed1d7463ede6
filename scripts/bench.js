// `npm run bench [-- flags]`: measures speed on this machine; bench/main.ts says what and how.
import { script } from "./prepare/command.js";
import { ensureInstalled } from "./prepare/install.js";
import { usePackagedNode } from "./packaged-node.js";

await script(async () => {
  await ensureInstalled();
  await usePackagedNode(import.meta.url);
  const { buildStale } = await import("./prepare/build.js");
  await buildStale();
  await import("../bench/main.ts");
});
