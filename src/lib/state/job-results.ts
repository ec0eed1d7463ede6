import type {
  ErrorBody,
  Job,
  JobOutcome,
  MachineFacts,
  PreflightReport,
  SyncOutcome,
  SyncPlanEntry,
} from "@rbee/contract";

type Error = Pick<ErrorBody["error"], "code" | "message" | "suggestion" | "details">;

/** What became of one machine of a job that had several. */
export interface MachineOutcome {
  readonly name: string;
  /** What was done there, as a sync calls it; null when only known to have ended well or not. */
  readonly outcome: SyncOutcome["outcome"] | null;
  readonly state: JobOutcome;
  readonly error: Error | null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const recordsOf = (value: unknown): Record<string, unknown>[] | null =>
  Array.isArray(value) ? value.filter(isRecord) : null;
const errorOf = (value: unknown): Error | null =>
  isRecord(value) && typeof value["message"] === "string" ? (value as unknown as Error) : null;
const outcomes: ReadonlySet<unknown> = new Set<SyncOutcome["outcome"]>([
  "already_installed",
  "installed",
  "upgraded",
  "started",
  "failed",
]);
const ends: ReadonlySet<unknown> = new Set<JobOutcome>(["succeeded", "failed", "cancelled", "timed_out"]);
const outcomeOf = (value: unknown) => (outcomes.has(value) ? (value as SyncOutcome["outcome"]) : null);

/**
 * The outcome of each machine: what a sync tells (`hives`), else what any job over several tells (`outcomes`), which is
 * there also when the job failed. Null for a job that was not about several.
 */
export function outcomesOf({ result, error }: Pick<Job, "result" | "error">): MachineOutcome[] | null {
  const details = recordsOf(result?.["outcomes"]);
  const hives = recordsOf(result?.["hives"]) ?? recordsOf(error?.details?.["hives"]);
  if (hives !== null)
    return hives.map((hive) => {
      const name = String(hive["alias"]);
      const known = details?.find(({ item }) => item === name);
      return {
        name,
        outcome: outcomeOf(hive["outcome"]),
        state: hive["outcome"] === "failed" ? "failed" : "succeeded",
        error: errorOf(known?.["error"]) ?? errorOf(hive["error"]),
      };
    });
  if (details === null) return null;
  return details.map((each) => ({
    name: String(each["item"]),
    outcome: isRecord(each["data"]) ? outcomeOf(each["data"]["outcome"]) : null,
    state: ends.has(each["status"]) ? (each["status"] as JobOutcome) : "failed",
    error: errorOf(each["error"]),
  }));
}

/** What a sync would do; null when the job tells of no plan. */
export function planOf({ result }: Pick<Job, "result">): SyncPlanEntry[] | null {
  return recordsOf(result?.["plan"]) as SyncPlanEntry[] | null;
}

/** What a check found; null for every other job and before it is over. */
export function reportOf({ operation, result }: Pick<Job, "operation" | "result">): PreflightReport | null {
  if (operation !== "hive_check" || !isRecord(result?.["machine"])) return null;
  return {
    machine: result["machine"] as unknown as MachineFacts,
    problems: (recordsOf(result["problems"]) ?? []) as PreflightReport["problems"],
    warnings: (recordsOf(result["warnings"]) ?? []) as PreflightReport["warnings"],
  };
}

/** The hive that a job left behind; null when it left none. */
export function hiveIdOf({ operation, state, result }: Pick<Job, "operation" | "state" | "result">): string | null {
  if (state !== "succeeded" || operation === "hive_uninstall") return null;
  const id = result?.["hive_id"];
  return typeof id === "string" ? id : null;
}
