import {
  errorBodySchema,
  RbeeError,
  syncOutcomeSchema,
  syncPlanEntrySchema,
  type ResultEvent,
  type SyncOutcome,
  type SyncPlanEntry,
} from "@rbee/contract";
import { table } from "../terminal/table.ts";

/** What a sync did to one machine; `cause` has the details that the outcome's own error leaves out. */
export interface MachineOutcome extends SyncOutcome {
  readonly cause: RbeeError | undefined;
}

interface Item {
  readonly item?: unknown;
  readonly data?: unknown;
  readonly error?: unknown;
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** What a sync would do, from its result. */
export function planOf({ data }: ResultEvent): SyncPlanEntry[] {
  return listOf(data?.["plan"]).flatMap((entry) => syncPlanEntrySchema.safeParse(entry).data ?? []);
}

/**
 * What a sync did to each machine, from its result; where machines failed, its error carries what became of all, and
 * the outcomes of its parts have their errors in full.
 */
export function outcomesOf({ data, error }: ResultEvent): MachineOutcome[] {
  const parts = listOf(data?.["outcomes"]).flatMap((part) => outcomeOfPart(part as Item) ?? []);
  const hives = listOf(data?.["hives"] ?? error?.details?.["hives"]).flatMap(
    (hive) => syncOutcomeSchema.safeParse(hive).data ?? [],
  );
  return hives.length === 0
    ? parts
    : hives.map((hive) => ({ ...hive, cause: parts.find(({ alias }) => alias === hive.alias)?.cause }));
}

function outcomeOfPart({ item, data, error }: Item): MachineOutcome | undefined {
  if (typeof item !== "string") return undefined;
  const body = errorBodySchema.safeParse({ error }).data;
  if (body === undefined) {
    const done = syncOutcomeSchema.safeParse({ alias: item, error: null, ...Object(data) }).data;
    return done === undefined ? undefined : { ...done, cause: undefined };
  }
  const { code, message, suggestion = null } = body.error;
  return {
    alias: item,
    outcome: "failed",
    error: { code, message, suggestion },
    cause: RbeeError.fromBody(body, "internal_error"),
  };
}

const actions: Record<SyncPlanEntry["action"], string> = {
  none: "✓ nothing",
  install: "+ install",
  upgrade: "↑ upgrade",
  start: "▸ start",
  unreachable: "✗ fail",
};

/** A plan as a table. */
export function planTable(plan: readonly SyncPlanEntry[]): string {
  return table(plan, [
    { title: "MACHINE", cell: ({ alias }) => alias },
    { title: "TARGET", cell: ({ target }) => target },
    { title: "WOULD", cell: ({ action }) => actions[action] },
    { title: "BECAUSE", cell: ({ reason }) => reason },
  ]);
}

const outcomes: Record<SyncOutcome["outcome"], string> = {
  already_installed: "✓ already installed",
  installed: "✓ installed",
  upgraded: "✓ upgraded",
  started: "✓ started",
  failed: "✗ failed",
};

/** Outcomes as a table, and beneath it what went wrong and what to do about it. */
export function outcomeText(done: readonly SyncOutcome[]): string {
  const overview = table(done, [
    { title: "MACHINE", cell: ({ alias }) => alias },
    { title: "OUTCOME", cell: ({ outcome }) => outcomes[outcome] },
  ]);
  const failures = done.flatMap(({ alias, error }) => {
    if (error === null) return [];
    const message = error.message.startsWith(`${alias}: `) ? error.message : `${alias}: ${error.message}`;
    return [`${message}${error.suggestion === null ? "" : `\n  ${error.suggestion}`}`];
  });
  return [overview, ...failures].join("\n\n");
}
