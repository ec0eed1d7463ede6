import type { SyncPlanEntry } from "@rbee/contract";

/** What a machine of `hives.conf` is to be. */
export interface Wanted {
  readonly alias: string;
  readonly target: string;
  readonly autoStart: boolean;
}

/** What was found on a machine. */
export interface Found {
  readonly kind: "found";
  /** The agent that is there; null when there is none. */
  readonly installed: { readonly version: string | null; readonly build: string | null } | null;
  /** What would be put there now: one of these builds, none of which is known when they cannot be told beforehand. */
  readonly offered: { readonly version: string; readonly builds: readonly string[] };
  readonly running: boolean;
  /** Whether the hive there belongs to this household. */
  readonly enrolled: boolean;
  /** Whether its heartbeats arrive. */
  readonly reporting: boolean;
}

/** What a look at a machine gave. */
export type Observation = Found | { readonly kind: "unreachable"; readonly reason: string };

/**
 * What has to be done so that the machines are what was declared. Where nothing could be seen, nothing is done.
 * @param observations by alias; a machine without one counts as unreachable
 */
export function planSync(wanted: readonly Wanted[], observations: ReadonlyMap<string, Observation>): SyncPlanEntry[] {
  return wanted.map((entry) => {
    const { alias, target } = entry;
    return { alias, target, ...decide(entry, observations.get(alias)) };
  });
}

function decide({ autoStart }: Wanted, seen: Observation | undefined): Pick<SyncPlanEntry, "action" | "reason"> {
  if (seen === undefined) return { action: "unreachable", reason: "It was not looked at." };
  if (seen.kind === "unreachable") return { action: "unreachable", reason: seen.reason };
  const { installed, offered, running, enrolled, reporting } = seen;
  if (installed === null) return { action: "install", reason: "No hive is installed there." };
  if (!enrolled) return { action: "install", reason: "The hive there does not belong to this household yet." };
  const old = outdated(installed, offered);
  if (old !== null) return { action: "upgrade", reason: old };
  if (running && reporting) return { action: "none", reason: `It runs rbee ${installed.version ?? "?"}.` };
  if (!autoStart) return { action: "none", reason: "It does not run, and auto_start is false." };
  if (running) return { action: "start", reason: "It runs, but its heartbeats do not arrive." };
  return { action: "start", reason: "It is installed and does not run." };
}

/** Why something else is to be put there; null when what is there is as new. */
function outdated(installed: NonNullable<Found["installed"]>, offered: Found["offered"]): string | null {
  if (installed.version === null) return "What is installed there does not say its version.";
  const order = compareVersions(installed.version, offered.version);
  if (order < 0) return `It has rbee ${installed.version}; this queen has ${offered.version}.`;
  // A newer one came there on purpose.
  if (order > 0 || offered.builds.length === 0) return null;
  if (installed.build !== null && offered.builds.includes(installed.build)) return null;
  return `It has another build of rbee ${installed.version} than this queen.`;
}

/** Below 0 when `a` is older. Numbers are compared as numbers; a pre-release is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (first.numbers[index] ?? 0) - (second.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (first.extra === second.extra) return 0;
  if (first.extra === "" || second.extra === "") return first.extra === "" ? 1 : -1;
  return first.extra < second.extra ? -1 : 1;
}

function parts(version: string): { numbers: number[]; extra: string } {
  const [core = "", extra = ""] = version.split("+")[0]?.split(/-(.*)/su) ?? [];
  return { numbers: core.split(".").map((number) => Number.parseInt(number, 10) || 0), extra };
}
