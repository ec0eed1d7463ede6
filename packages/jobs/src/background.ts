import { systemClock } from "./clock.ts";
import type { Draft, Scope, Work } from "./context.ts";
import { FailureSites } from "./failure.ts";
import { silentLog, type ProcessLog } from "./process-log.ts";
import { processSecrets, type Redactor } from "./redaction.ts";

let log: ProcessLog = silentLog;

/** Says where narration outside every job goes. The answer puts the one before back. */
export function narrateOutsideJobsTo(processLog: ProcessLog): () => void {
  const before = log;
  log = processLog;
  return () => {
    log = before;
  };
}

/** Writes what is not part of a job's stream into a process's log. */
export function writeToLog(to: ProcessLog, secrets: Redactor, draft: Draft, fields: object = {}): void {
  if (draft.type === "progress") return;
  const { actor, action, message, level, data } = draft;
  to[level](
    { ...fields, actor, action, ...(data === undefined ? {} : { data: secrets.value(data) }) },
    secrets.text(message),
  );
}

/** What code outside every job is part of: it may do all that code in a job may, and nobody's stream hears of it. */
export const backgroundWork: Work = {
  jobId: undefined,
  clock: systemClock,
  graceMs: 5_000,
  secrets: processSecrets,
  sites: new FailureSites(),
  active: new Set(),
  emit: (_scope: Scope, draft) => {
    writeToLog(log, processSecrets, draft);
  },
  progress: () => {},
  flushProgress: () => {},
  track: (_scope, promise) => promise,
  gaveUp: () => {},
  holdEnd: () => () => {},
};
