#!/usr/bin/env node
import { existsSync } from "node:fs";
import { usePackagedNode } from "../../../scripts/packaged-node.js";

await usePackagedNode(import.meta.url);
const main = new URL("../dist/main.js", import.meta.url);
if (!existsSync(main)) {
  const { buildStale } = await import("../../../scripts/prepare/build.js");
  await buildStale({ only: ["cli"] });
}
await import(main.href);
