import { fileURLToPath } from "node:url";

export const simpleWorker = fileURLToPath(new URL("../worker-process/testing/simple-worker.js", import.meta.url));
