import { spawn, type ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";

/**
 * `$$` is this shell, also in the part in brackets, and stays so when it becomes the program. That part waits for a
 * line or the end of the pipe from the hive: the kernel ends the pipe however the hive ends. A line means that the
 * program has ended already and its number may be somebody else's by now.
 */
const guard = '(read -r farewell <&3 || kill -KILL $$) </dev/null >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * Starts a program that knows nothing of us, so that it ends with this process all the same, even after a kill -9. It
 * has a process group of its own, that Ctrl-C reaches only us, and its number is its own, not that of a guard.
 * stdout and stderr are pipes, stdin is empty.
 */
export function spawnGuarded(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  // On Windows a child that is not detached is in a job that ends with its parent.
  if (process.platform === "win32") return spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const child = spawn("/bin/sh", ["-c", guard, "guard", program, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
  const line = child.stdio[3] as Duplex | null;
  // Its other end may be gone before the farewell.
  line?.on("error", () => {});
  child.once("exit", () => {
    line?.end("ended\n");
  });
  return child;
}
