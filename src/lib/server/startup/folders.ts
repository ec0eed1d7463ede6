import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "./start-error.ts";

/** Makes the queen's data folder (0700) with its logs. @throws {StartError} when it cannot. */
export function prepareHome(home: string): { database: string; logFile: string } {
  const logs = join(home, "logs");
  const database = join(home, "queen.db");
  try {
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    chmodSync(home, 0o700);
    // SQLite would make it readable for everybody; its journal files take their mode from it.
    closeSync(openSync(database, "a", 0o600));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(
      `The data folder ${home} cannot be used (${code ?? "unknown error"}); set RBEE_HOME to another.`,
    );
  }
  return { database, logFile: join(logs, "queen.log") };
}
