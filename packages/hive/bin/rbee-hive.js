#!/usr/bin/env node
import { usePackagedNode } from "../../../scripts/packaged-node.js";

await usePackagedNode(import.meta.url);
await import(new URL("../dist/main.js", import.meta.url).href);
