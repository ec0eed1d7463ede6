// What has to be there before rbee can run: dependencies and builds. The scripts beside this file and the test suites
// use it.
import { buildStale } from "./prepare/build.js";

export { ensureInstalled } from "./prepare/install.js";
export { buildStale };

/**
 * Builds everything that is stale.
 * @returns {Promise<void>}
 */
export async function ensureBuilt() {
  await buildStale();
}
