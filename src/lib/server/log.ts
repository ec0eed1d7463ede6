import { destination, pino, type Logger } from "pino";

/** Wherever these names appear in a log entry, at the top or one level down, the value is left out. */
const secretNames = ["password", "token", "key", "setupCode", "authorization", "cookie", "hive_token", "join_token"];

/** The queen's log: JSON lines in a file. Written at once, so that nothing is lost when the process dies. */
export function openLog(file: string, level: string): Logger {
  return pino(
    {
      name: "queen",
      level,
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: "[secret]" },
      base: { name: "queen" },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination({ dest: file, sync: true, mkdir: true }),
  );
}
