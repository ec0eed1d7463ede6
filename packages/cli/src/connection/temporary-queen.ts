import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { RbeeError } from "@rbee/contract";
import { loadSettings, queenSettings } from "@rbee/settings";
import { programRoot } from "../program-root.ts";
import { connectionTo, type Connection } from "./connect.ts";
import { findLocalQueen } from "./run-file.ts";

/** Time for building what is stale and for starting. */
const startLimitMs = 180_000;
/** A queen lets answers finish for 30 s before she ends. */
const stopLimitMs = 40_000;

/** A queen for the length of one command. */
export interface TemporaryQueen {
  readonly connection: Connection;
  /** Ends her, with her hive and workers; it gives when they are gone. */
  stop(): Promise<void>;
}

/**
 * Starts a queen with the data folder of the settings in force, on free ports that only this machine reaches.
 * @throws {RbeeError} `queen_unreachable` with what she wrote when she ends or is not up in time.
 */
export async function startTemporaryQueen(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<TemporaryQueen> {
  const { home } = loadSettings(queenSettings, { env }).values;
  const child = spawn(process.execPath, [join(programRoot, "scripts/start.js")], {
    env: { ...env, RBEE_PORT: "0", RBEE_HOST: "127.0.0.1", RBEE_HIVE_PORT: "0", RBEE_HIVE_HOST: "127.0.0.1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4_000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = once(child, "exit");
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;

  const stop = async () => {
    if (hasEnded()) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
    await ended;
    clearTimeout(timer);
  };
  try {
    const deadline = performance.now() + startLimitMs;
    for (;;) {
      signal.throwIfAborted();
      if (hasEnded() || performance.now() > deadline)
        throw new RbeeError("queen_unreachable", `A queen for this command could not be started.\n${output.trim()}`, {
          suggestion: "`npm start` shows the whole story.",
        });
      const found = findLocalQueen(home);
      if (found?.pid === child.pid && found !== undefined) {
        const connection = connectionTo(found.url, found.token, true);
        if (await connection.client.health({ timeoutMs: 1_000 }).catch(() => undefined)) return { connection, stop };
      }
      await wait(50, undefined, { signal });
    }
  } catch (error) {
    await stop();
    throw error;
  }
}
