import { toRbeeError, type NearbyMachine } from "@rbee/contract";
import type { Logger } from "pino";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { MachineAccess } from "../access.ts";
import { readHivesConf } from "../hives-conf/index.ts";
import type { BeehiveStore } from "../registry/index.ts";
import type { AnnouncedHive } from "./announcements.ts";
import { grouped, nearbyMachines, type Candidate, type Finding, type Place } from "./candidates.ts";
import { placed } from "./placing.ts";
import { probeHive, type Probe } from "./probe.ts";

const usualHivePort = 7835;
/** More names than this stand in no person's ssh config. */
const mostCandidates = 500;

export interface NearbyOptions {
  readonly access: Pick<MachineAccess, "resolve" | "hosts">;
  readonly beehives: Pick<BeehiveStore, "list">;
  readonly hives: Pick<HivesService, "registry">;
  /** The folder of hives.conf. */
  readonly configDir: string;
  readonly announcements: { list(): AnnouncedHive[]; ask(): void };
  readonly log: Logger;
  readonly now: () => number;
  readonly probe?: (host: string, port: number, signal: AbortSignal) => Promise<Probe>;
}

/** Looks for machines that could join the household. */
export interface Nearby {
  /** What the last look found, with what announces itself now. */
  list(): NearbyMachine[];
  /** Looks at every machine that is written down somewhere, all at once, 10 s at most each; never rejects. */
  look(): Promise<NearbyMachine[]>;
  /** Gives up what it is looking at. */
  stop(): void;
}

export function createNearby(options: NearbyOptions): Nearby {
  const { access, beehives, hives, configDir, announcements, log, now, probe = probeHive } = options;
  let findings: readonly Finding[] = [];
  let looking: Promise<NearbyMachine[]> | undefined;
  const stopping = new AbortController();

  const hostsOfSshConfig = (): string[] => {
    try {
      return access.hosts();
    } catch (error) {
      log.warn({ err: toRbeeError(error).message }, "nearby: the ssh config cannot be read");
      return [];
    }
  };
  const entriesOfHivesConf = async () => {
    try {
      return (await readHivesConf(configDir)).entries;
    } catch (error) {
      log.warn({ err: toRbeeError(error).message }, "nearby: hives.conf cannot be read");
      return [];
    }
  };

  const candidates = async (): Promise<Candidate[]> => {
    const registered = beehives.list().map(({ name, target, hive_port: hivePort, hive_id: hiveId }) => {
      return { name, target, hivePort, hiveId, source: "registry" as const };
    });
    const declared = (await entriesOfHivesConf()).map(({ alias, target, hivePort }) => {
      return { name: alias, target, hivePort, hiveId: null, source: "hives_conf" as const };
    });
    // A machine that is written down elsewhere with its port is not looked for on the usual one.
    const ports = new Map([...declared, ...registered].map(({ target, hivePort }) => [target, hivePort]));
    const named = hostsOfSshConfig().map((name) => {
      return {
        name,
        target: name,
        hivePort: ports.get(name) ?? usualHivePort,
        hiveId: null,
        source: "ssh_config" as const,
      };
    });
    return [...registered, ...declared, ...named].slice(0, mostCandidates);
  };

  /** The enrolled hive that is known to be at this place; the queen asks those in another way. */
  const enrolledAt = (group: { candidates: readonly Candidate[]; place: Place }) => {
    const ids = group.candidates.map(({ hiveId }) => hiveId);
    const { place } = group;
    return hives.registry.all().find(({ hiveId, host, port }) => {
      const here = place.kind === "address" && (host === place.ip || host === place.host);
      return ids.includes(hiveId) || (here && port === group.candidates[0]?.hivePort);
    });
  };

  const lookAt = async (group: { candidates: Candidate[]; place: Place }): Promise<Finding> => {
    const hive = enrolledAt(group);
    const known: Probe | null =
      hive === undefined ? null : { kind: "hive", hiveId: hive.hiveId, version: hive.version ?? "" };
    const { place, candidates: names } = group;
    const [first] = names;
    if (known !== null || place.kind !== "address" || first === undefined)
      return { ...group, probe: known, checkedAt: null };
    const found = await probe(place.ip, first.hivePort, stopping.signal);
    return { ...group, probe: found, checkedAt: now() };
  };

  const list = () =>
    nearbyMachines(findings, announcements.list(), (hiveId) => hives.registry.find(hiveId) !== undefined);

  const lookOnce = async (): Promise<NearbyMachine[]> => {
    try {
      announcements.ask();
      findings = await Promise.all(grouped(await placed(await candidates(), access.resolve)).map(lookAt));
    } catch (error) {
      log.error({ err: error }, "nearby: looking around failed");
    }
    const found = list();
    if (stopping.signal.aborted) return found;
    for (const machine of found) {
      const { name, address, hive_port: port, state } = machine;
      log.info({ machine: name, address, port, state }, `nearby: ${inWords(machine)}`);
    }
    return found;
  };

  return {
    list,
    look: () =>
      (looking ??= lookOnce().finally(() => {
        looking = undefined;
      })),
    stop() {
      stopping.abort();
    },
  };
}

/** What was found of a machine, in a sentence. */
export function inWords({ name, state, hive_port: port, version, problem }: NearbyMachine): string {
  switch (state) {
    case "enrolled":
      return `${name} belongs to the household.`;
    case "not_adopted":
      return `${name} has a hive on port ${port ?? "?"} (rbee ${version ?? "?"}) that is not adopted.`;
    case "no_hive":
      return `${name} is there and has no hive. ${problem ?? ""}`.trim();
    case "unreachable":
      return `${name} cannot be reached. ${problem ?? ""}`.trim();
    case "unknown":
      return `${name} was not asked. ${problem ?? ""}`.trim();
  }
}
