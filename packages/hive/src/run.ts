import { RbeeError } from "@rbee/contract";
import { SettingsError } from "@rbee/settings";
import { ListenError } from "./api/server.ts";
import type { HiveConfig } from "./config.ts";
import { ipcParent } from "./enrolment/parent.ts";
import { Hive } from "./hive.ts";
import { HomeError } from "./home.ts";

const drainMs = 30_000;
/** The queen is gone, and with it everybody who waited for an answer. */
const drainAloneMs = 2_000;

function fail(status: 1 | 2, line: string): never {
  process.stderr.write(`rbee-hive: ${line}\n`);
  process.exit(status);
}

/** Says in one line why the hive cannot run, and ends the process: 2 for a wrong setting, 1 for everything else. */
export function explain(error: unknown): never {
  if (error instanceof SettingsError) fail(2, error.message);
  if (error instanceof HomeError || error instanceof ListenError) fail(1, error.message);
  if (error instanceof RbeeError) fail(1, [error.message, error.suggestion].filter((part) => part).join(" "));
  fail(1, error instanceof Error ? (error.stack ?? error.message) : "unknown error");
}

/** Runs a hive until it is told to stop; the process ends with it. */
export async function runHive(config: HiveConfig): Promise<void> {
  const parent = config.parent === "ipc" ? ipcParent() : undefined;
  const now: { hive?: Hive; leaves: boolean } = { leaves: false };
  const leave = (waitMs: number) => {
    now.leaves = true;
    // While it starts, nobody knows all that it would leave behind.
    now.hive?.stop(waitMs).then(() => process.exit(0), explain);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Asked twice, it waits for nothing.
    process.once(signal, () => {
      leave(drainMs);
      process.once(signal, () => {
        leave(0);
      });
    });
  }
  const hive = await Hive.start(config, parent);
  now.hive = hive;
  process.on("uncaughtException", (error) => {
    hive.broken(error);
    process.exit(1);
  });
  if (now.leaves) {
    leave(0);
    return;
  }
  parent?.onGone(() => {
    leave(drainAloneMs);
  });
  parent?.listening(hive.port);
  try {
    await hive.report();
  } catch (error) {
    await hive.stop(0);
    explain(error);
  }
}
