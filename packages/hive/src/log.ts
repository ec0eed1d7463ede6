import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import pino, { type Logger } from "pino";

export type { Logger } from "pino";

const keepBytes = 10 * 1024 * 1024;
const secrets = ["hive_token", "join_token", "token", "authorization", "headers.authorization", "password"];

/** The last log is kept beside the new one, so that the two together stay bounded. */
function rotate(path: string): void {
  try {
    if (statSync(path).size > keepBytes) renameSync(path, `${path}.1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** One line per message for the person at the terminal: time, level when it matters, message. */
const terminal = {
  write(line: string): void {
    const { time, level, msg } = JSON.parse(line) as { time: number; level: number; msg: string };
    const mark = level >= 50 ? "error: " : level >= 40 ? "warning: " : "";
    process.stdout.write(`${new Date(time).toTimeString().slice(0, 8)} ${mark}${msg}\n`);
  },
};

/** Where a hive with this data folder writes its log. */
export const logPathIn = (home: string): string => join(home, "logs", "hive.log");

/** The hive's log: JSON lines in `<home>/logs/hive.log`, and plain lines on stdout when a person started it. */
export function openLog(options: { home: string; level: string; onTerminal: boolean }): Logger {
  const path = logPathIn(options.home);
  rotate(path);
  const file = pino.destination({ dest: path, sync: true, mode: 0o600 });
  const level = options.level as pino.Level;
  // A terminal that was closed must not end the hive.
  if (options.onTerminal) process.stdout.on("error", () => {});
  const streams = [{ stream: file, level }, ...(options.onTerminal ? [{ stream: terminal, level }] : [])];
  return pino(
    { name: "hive", level: options.level, redact: { paths: secrets, censor: "••••••" } },
    pino.multistream(streams),
  );
}
