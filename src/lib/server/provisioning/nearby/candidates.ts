import type { NearbyMachine } from "@rbee/contract";
import type { AnnouncedHive } from "./announcements.ts";
import type { Probe } from "./probe.ts";

export type Source = NearbyMachine["sources"][number];

/** A machine that somebody wrote down somewhere. */
export interface Candidate {
  readonly name: string;
  readonly target: string;
  readonly source: Source;
  readonly hivePort: number;
  /** The hive that was installed there, as the registry knows it. */
  readonly hiveId: string | null;
}

/** Where a candidate is, as far as it can be told. */
export type Place =
  | { readonly kind: "address"; readonly host: string; readonly ip: string }
  /** Other machines are on the way, so the hive's port cannot be reached from here directly. */
  | { readonly kind: "behind"; readonly host: string; readonly through: string }
  | { readonly kind: "nowhere"; readonly host: string | null; readonly problem: string };

/** Candidates that are one and the same machine and port, with what was found there. */
export interface Finding {
  readonly candidates: readonly Candidate[];
  readonly place: Place;
  /** Null where nothing was asked. */
  readonly probe: Probe | null;
  readonly checkedAt: number | null;
}

/** The name a person gave outright counts most. */
const rank: Record<Source, number> = { registry: 0, hives_conf: 1, ssh_config: 2, mdns: 3 };

/** Candidates by machine and port; what cannot be told apart by address is by name. */
export function grouped(
  placed: readonly { readonly candidate: Candidate; readonly place: Place }[],
): { candidates: Candidate[]; place: Place }[] {
  const keyOf = ({ candidate, place }: (typeof placed)[number]) => {
    if (place.kind === "address") return `${place.ip} ${candidate.hivePort}`;
    if (place.kind === "behind") return `${place.host} through ${place.through} ${candidate.hivePort}`;
    return `${place.host ?? candidate.target} nowhere ${candidate.hivePort}`;
  };
  return [...Map.groupBy(placed, keyOf).values()].map((group) => {
    const candidates = group.map(({ candidate }) => candidate).sort((a, b) => rank[a.source] - rank[b.source]);
    const [{ place } = { place: nowhere }] = group;
    return { candidates, place };
  });
}
const nowhere: Place = { kind: "nowhere", host: null, problem: "" };

/**
 * The machines that could join, as they are shown: each once, with every source that knows it.
 * @param isEnrolled whether a hive belongs to this household now
 */
export function nearbyMachines(
  findings: readonly Finding[],
  announced: readonly AnnouncedHive[],
  isEnrolled: (hiveId: string) => boolean,
): NearbyMachine[] {
  const machines = findings.map((finding) => ({ machine: machineOf(finding), ip: ipOf(finding) }));
  for (const hive of announced) {
    const known =
      machines.find(({ machine }) => machine.hive_id === hive.hiveId) ??
      machines.find(({ machine, ip }) => ip === hive.address && machine.hive_port === hive.port) ??
      // A hive on another port than the one that was tried.
      machines.find(({ machine, ip }) => ip === hive.address && machine.hive_id === null);
    if (known === undefined) machines.push({ machine: announcedMachine(hive), ip: hive.address });
    else known.machine = withAnnouncement(known.machine, hive);
  }
  return machines
    .map(({ machine }) => {
      const enrolled = machine.hive_id !== null && isEnrolled(machine.hive_id);
      return enrolled ? { ...machine, state: "enrolled" as const, problem: null } : machine;
    })
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}

function machineOf({ candidates, place, probe, checkedAt }: Finding): NearbyMachine {
  const [first] = candidates;
  const machine = {
    name: first?.name ?? "",
    target: first?.target ?? null,
    address: place.host,
    hive_port: first?.hivePort ?? null,
    sources: [...new Set(candidates.map(({ source }) => source))],
    hive_id: candidates.find(({ hiveId }) => hiveId !== null)?.hiveId ?? null,
    version: null,
    checked_at: checkedAt,
  };
  if (probe?.kind === "hive")
    return { ...machine, state: "not_adopted", hive_id: probe.hiveId, version: probe.version, problem: null };
  if (probe !== null) return { ...machine, state: probe.kind, problem: probe.problem };
  if (place.kind === "behind")
    return {
      ...machine,
      state: "unknown",
      problem: `It is reached through ${place.through}, so only signing in tells what runs there.`,
    };
  if (place.kind === "nowhere") return { ...machine, state: "unreachable", problem: place.problem };
  return { ...machine, state: "unknown", problem: null };
}

function ipOf({ place }: Finding): string | null {
  return place.kind === "address" ? place.ip : null;
}

function announcedMachine({ hiveId, name, version, address, port }: AnnouncedHive): NearbyMachine {
  return {
    name,
    target: null,
    address,
    hive_port: port,
    sources: ["mdns"],
    state: "not_adopted",
    hive_id: hiveId,
    version,
    checked_at: null,
    problem: null,
  };
}

/** What was asked and answered outright counts more than what anybody may send. */
function withAnnouncement(machine: NearbyMachine, hive: AnnouncedHive): NearbyMachine {
  const sources: NearbyMachine["sources"] = [...machine.sources, "mdns"];
  if (machine.state !== "no_hive" && machine.state !== "unreachable") return { ...machine, sources };
  return {
    ...machine,
    sources,
    state: "not_adopted",
    hive_port: hive.port,
    hive_id: hive.hiveId,
    version: hive.version,
    problem: machine.state === "unreachable" ? `It announces itself, but: ${machine.problem ?? ""}` : null,
  };
}
