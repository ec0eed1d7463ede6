import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { root } from "./root.js";

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * Runs work that only one process may do at a time; the others wait. A lock whose owner has died is taken over.
 * @template T
 * @param {string} file The lock, relative to the root.
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(file, work) {
  const lock = join(root, file);
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    // A lock is empty for an instant after its creation, so an unreadable owner gets a second look.
    const owner = Number(readOwner(lock)) || (await wait(200), Number(readOwner(lock)));
    if (owner > 0 && isAlive(owner)) await wait(100);
    else rmSync(lock, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/**
 * The pid in a lock; empty when it has none or has just gone.
 * @param {string} lock
 */
function readOwner(lock) {
  try {
    return readFileSync(lock, "utf8");
  } catch {
    return "";
  }
}
