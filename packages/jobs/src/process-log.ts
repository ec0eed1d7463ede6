/** Where a process writes what no stream carries; pino's loggers fit. */
export interface ProcessLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that keeps nothing. */
export const silentLog: ProcessLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
