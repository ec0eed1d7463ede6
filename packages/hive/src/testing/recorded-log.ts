import pino from "pino";
import type { Logger } from "../log.ts";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

/** A log whose lines a test can read. */
export function recordedLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const log = pino(
    { level: "info" },
    {
      write: (line: string) => {
        lines.push(JSON.parse(line) as LogLine);
      },
    },
  );
  return { log, lines };
}
