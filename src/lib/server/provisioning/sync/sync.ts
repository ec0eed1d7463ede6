import { RbeeError, toRbeeError, type SyncOutcome, type SyncPlanEntry } from "@rbee/contract";
import { inParallel, narrate, step } from "@rbee/jobs";
import { addressKey } from "../addresses.ts";
import { readHivesConf, type HivesConfEntry } from "../hives-conf/index.ts";
import type { Parts } from "../parts.ts";
import type { BeehiveStore } from "../registry/index.ts";
import type { HiveOperations } from "../types.ts";
import { offeredBuilds } from "./offered-builds.ts";
import { planSync, type Observation } from "./plan.ts";

type Request = Parameters<HiveOperations["sync"]>[0];
type Ssh = Request["ssh"];

export interface SyncParts extends Pick<Parts, "access" | "beehives" | "hives" | "root" | "settings"> {
  readonly operations: Pick<HiveOperations, "check" | "install" | "upgrade" | "start">;
  /** The queen's own version: what she would put on machines. */
  readonly version: string;
}

/** A machine that reports is left its 3 s. */
const fresh = new Set(["healthy", "degraded"]);
const readLimitMs = 30_000;
const lookLimitMs = 120_000;

const outcomes = {
  none: "already_installed",
  install: "installed",
  upgrade: "upgraded",
  start: "started",
} as const;

/**
 * Makes the machines what `hives.conf` says, all at once; each to its end, whatever becomes of the others.
 * @throws {RbeeError} `invalid_request` for a file with mistakes and for aliases that are not in it; when machines
 *   failed, with the code of the first, every reason in the message, and `details.hives` with what became of all.
 */
export async function sync(
  parts: SyncParts,
  { dry_run: dryRun, only, ssh }: Request,
  signal: AbortSignal,
): Promise<{ plan: SyncPlanEntry[]; hives: SyncOutcome[] }> {
  const entries = await step("hives_conf", { timeoutMs: readLimitMs, message: "Reading hives.conf" }, () =>
    declared(parts, only),
  );
  const seen = await lookAtAll(parts, entries, ssh);
  const wanted = entries.map(({ alias, target, autoStart }) => ({ alias, target, autoStart }));
  const observations = new Map([...seen].map(([alias, { observation }]) => [alias, observation]));
  const plan = planSync(wanted, observations);
  for (const { alias, action, reason } of plan)
    narrate({
      action: "plan",
      level: action === "unreachable" ? "warn" : "info",
      message: `${alias}: ${words[action]}. ${reason}`,
      data: { alias, action, reason },
    });
  if (dryRun) return { plan, hives: [] };
  signal.throwIfAborted();
  return { plan, hives: await perform(parts, { entries, plan, seen, ssh }) };
}

const words: Record<SyncPlanEntry["action"], string> = {
  none: "nothing to do",
  install: "install",
  upgrade: "upgrade",
  start: "start",
  unreachable: "cannot be reached",
};

/** The entries that are meant, none of which is another's machine by another name. */
async function declared(
  { access, settings }: SyncParts,
  only: readonly string[] | undefined,
): Promise<HivesConfEntry[]> {
  const { path, entries, hint } = await readHivesConf(settings.configDir);
  if (hint !== null) narrate({ action: "empty", level: "warn", message: hint });
  const known = entries.map(({ alias }) => alias);
  const unknown = only?.filter((alias) => !known.includes(alias)) ?? [];
  if (unknown.length > 0)
    throw new RbeeError("invalid_request", `${path} has no ${unknown.join(", ")}.`, {
      param: "only",
      details: { unknown, known },
      suggestion: known.length === 0 ? (hint ?? undefined) : `It has: ${known.join(", ")}.`,
    });
  await refuseSameMachine(access, entries, path);
  return entries.filter(({ alias }) => only === undefined || only.includes(alias));
}

/** The text cannot tell that an alias of the ssh config is the address of another entry. */
async function refuseSameMachine(
  access: SyncParts["access"],
  entries: readonly HivesConfEntry[],
  path: string,
): Promise<void> {
  const byAddress = new Map<string, string>();
  for (const { alias, target } of entries) {
    const found = await access.resolve(target).catch(() => undefined);
    if (found === undefined) continue;
    const key = addressKey(found);
    const other = byAddress.get(key);
    if (other !== undefined)
      throw new RbeeError("invalid_request", `In ${path}, ${other} and ${alias} are the same machine (${key}).`, {
        param: "hives.conf",
        details: { file: path, aliases: [other, alias], address: key },
        suggestion: "Remove one of them.",
      });
    byAddress.set(key, alias);
  }
}

interface Seen {
  readonly observation: Observation;
  /** The hive that is there, as its own file says. */
  readonly hiveId: string | null;
  /** Why it could not be looked at. */
  readonly error: unknown;
}

/** Looks at all of them at once. That one cannot be seen is part of the plan, not the end of it. */
async function lookAtAll(parts: SyncParts, entries: readonly HivesConfEntry[], ssh: Ssh): Promise<Map<string, Seen>> {
  const looks = entries.map(async (entry): Promise<[string, Seen]> => {
    const { alias } = entry;
    try {
      const found = await step(
        "look",
        { timeoutMs: lookLimitMs, actor: `hive:${alias}`, message: `Looking at ${alias}` },
        (signal) => lookAt(parts, entry, ssh, signal),
      );
      return [alias, { ...found, error: undefined }];
    } catch (error) {
      const reason = toRbeeError(error).message;
      return [alias, { observation: { kind: "unreachable", reason }, hiveId: null, error }];
    }
  });
  return new Map(await Promise.all(looks));
}

async function lookAt(
  { operations, hives, root, version }: SyncParts,
  entry: HivesConfEntry,
  ssh: Ssh,
  signal: AbortSignal,
): Promise<Omit<Seen, "error">> {
  const { target, installMethod: method, hivePort } = entry;
  const { machine } = await operations.check({ target, method, hive_port: hivePort, ssh }, signal);
  const { existing } = machine;
  const hiveId = existing?.hive_id ?? null;
  const hive = hiveId === null ? undefined : hives.registry.find(hiveId);
  const observation: Observation = {
    kind: "found",
    installed: existing === null ? null : { version: existing.version, build: existing.build },
    offered: { version, builds: await offeredBuilds(root, method, machine) },
    running: existing?.running ?? false,
    enrolled: hive !== undefined,
    reporting: hive !== undefined && fresh.has(hive.health),
  };
  return { observation, hiveId };
}

interface Work {
  readonly entries: readonly HivesConfEntry[];
  readonly plan: readonly SyncPlanEntry[];
  readonly seen: ReadonlyMap<string, Seen>;
  readonly ssh: Ssh;
}

async function perform(parts: SyncParts, { entries, plan, seen, ssh }: Work): Promise<SyncOutcome[]> {
  const results = new Map<string, SyncOutcome>();
  const work = entries.map((entry) => ({ entry, action: plan.find(({ alias }) => alias === entry.alias)?.action }));
  try {
    await inParallel(
      work,
      async ({ entry, action }, signal) => {
        const { alias } = entry;
        try {
          if (action === undefined || action === "unreachable") throw seen.get(alias)?.error;
          await act(parts, entry, { action, seen: seen.get(alias), ssh, signal });
          const outcome = outcomes[action];
          results.set(alias, { alias, outcome, error: null });
          return { outcome };
        } catch (error) {
          const { code, message, suggestion = null } = toRbeeError(error);
          results.set(alias, { alias, outcome: "failed", error: { code, message, suggestion } });
          throw error;
        }
      },
      { name: ({ entry }) => entry.alias, actor: ({ entry }) => `hive:${entry.alias}` },
    );
  } catch (error) {
    if (!(error instanceof RbeeError)) throw error;
    const { code, message, details, suggestion } = error;
    // What an operation gives is lost when it fails, so that the error has to carry it.
    const hives = inOrder(entries, results);
    throw new RbeeError(code, message, { details: { ...details, plan, hives }, suggestion, cause: error });
  }
  return inOrder(entries, results);
}

function inOrder(entries: readonly HivesConfEntry[], results: ReadonlyMap<string, SyncOutcome>): SyncOutcome[] {
  return entries.flatMap(({ alias }) => results.get(alias) ?? []);
}

async function act(
  parts: SyncParts,
  entry: HivesConfEntry,
  {
    action,
    seen,
    ssh,
    signal,
  }: { action: keyof typeof outcomes; seen: Seen | undefined; ssh: Ssh; signal: AbortSignal },
): Promise<void> {
  const { alias, target, hivePort, installMethod: method, autoStart } = entry;
  const { operations } = parts;
  register(parts.beehives, entry, seen?.hiveId ?? null);
  switch (action) {
    case "none":
      return;
    case "install":
      await operations.install(
        { target, method, hive_port: hivePort, name: alias, auto_start: autoStart, ssh },
        signal,
      );
      return;
    case "upgrade":
      await operations.upgrade({ hive: alias, method, ssh }, signal);
      return;
    case "start":
      await operations.start({ hive: alias, ssh }, signal);
  }
}

/** Remembers the machine as it is declared; the file wins over what was registered by another name. */
function register(beehives: BeehiveStore, entry: HivesConfEntry, foundHiveId: string | null): void {
  const { alias, target, hivePort, installMethod, autoStart } = entry;
  const named = beehives.find(alias);
  const atTarget = beehives.findByTarget(target);
  const record = {
    name: alias,
    target,
    hivePort,
    autoStart,
    installMethod,
    hiveId: foundHiveId ?? named?.hive_id ?? atTarget?.hive_id ?? null,
  };
  if (atTarget === undefined || atTarget.name === alias) beehives.save(record);
  else {
    if (named !== undefined) beehives.remove(alias);
    beehives.replace(atTarget.name, record);
  }
}
