/**
 * What a worker has no use for and should not be able to leak, and what only the hive is to be frugal by: a worker's many
 * threads would wait for one another at a single heap.
 */
const withheld = /^(RBEE_(?!LOG_LEVEL$)|HF_TOKEN$|NODE_OPTIONS$|NODE_CHANNEL|MALLOC_ARENA_MAX$)/u;

/** The environment of an engine's process: this hive's, less its secrets, and `extra`. */
export function workerEnvironment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !withheld.test(name)));
  return { ...own, ...extra };
}
