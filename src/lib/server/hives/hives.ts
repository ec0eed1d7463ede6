import { hostname } from "node:os";
import { RbeeError, type FetchLike, type FleetSnapshot, type HealthTransition, type Role } from "@rbee/contract";
import type { Logger } from "pino";
import { requireAdmin } from "#lib/server/accounts/index.ts";
import type { Db } from "#lib/server/db/index.ts";
import { reachableHost } from "#lib/server/startup/index.ts";
import type { Vault } from "#lib/server/secrets/index.ts";
import { createContact, type Contact } from "./contact.ts";
import { createEnrolment } from "./enrolment.ts";
import { createFleetStream } from "./fleet-stream.ts";
import { fleetHive, fleetSnapshot, type NamesOf, type RequestCounts } from "./fleet.ts";
import { createJoinTokens } from "./join-tokens.ts";
import { createLocalHive } from "./local-hive.ts";
import { createLocalWorkers, type LocalWorkers } from "./local-workers.ts";
import { localIdentity } from "./local-identity.ts";
import { createRegistry, type ExpectedHive, type HiveState, type Registry } from "./registry.ts";
import { createHiveStore } from "./store.ts";
import { createWorkers } from "./workers.ts";
import type { Hives } from "./types.ts";

const tickMs = 500;
const drainMs = 30_000;

export interface HivesOptions {
  db: Db;
  vault: Vault;
  fetch: FetchLike;
  log: Logger;
  now: () => number;
  discoveryDelayMs: number;
  queen: FleetSnapshot["queen"];
  requests: () => RequestCounts;
  /** How many jobs run. */
  jobsRunning: () => number;
  /** What the household decided about how a model is called, and whether it is pinned. */
  namesOf: NamesOf;
  advertisedUrl: (host: string) => Promise<string | null>;
  /** The hive of this machine; undefined when the queen starts none. */
  local: { command: readonly [string, ...string[]]; home: string; host: string; port: number } | undefined;
}

/** The hives of the household, with what only other domains and the queen itself call. */
export interface HivesService extends Hives {
  readonly registry: Pick<Registry, "all" | "find">;
  readonly contact: Pick<Contact, "connection" | "client" | "ask">;
  /** The workers that are reached without a hive in between. */
  readonly localWorkers: LocalWorkers;
  /**
   * Lets a hive in whose id and token were read or written on its own machine: its first heartbeat enrols it, so one
   * that never reports leaves nothing behind. The answer takes that back as long as no heartbeat has come.
   */
  expect(hive: ExpectedHive): () => void;
  /** Forgets a hive, if it is enrolled. */
  forget(hiveId: string): void;
  onTransition(listener: (transition: HealthTransition) => void): () => void;
  /** Starts the local hive and discovery. @param localUrl how this machine's own hive reaches the queen. */
  start(localUrl: string): void;
  /** Ends every viewer's stream. */
  closeStreams(): void;
  stop(): Promise<void>;
}

export function createHives(options: HivesOptions): HivesService {
  const { db, vault, fetch, log, now, queen, local } = options;
  const registry = createRegistry(createHiveStore(db, vault), now);
  const contact = createContact({ registry, fetch, log, now, advertisedUrl: options.advertisedUrl });
  const joinTokens = createJoinTokens(db, now);
  const enroll = createEnrolment(registry, joinTokens, log);
  const timers: NodeJS.Timeout[] = [];
  let stopping = false;

  const snapshot = (role: Role) =>
    fleetSnapshot({
      hives: registry.all(),
      forAdmin: role === "admin",
      queen,
      requests: options.requests(),
      jobsRunning: options.jobsRunning(),
      namesOf: options.namesOf,
      ts: now(),
    });
  const history = () => ({ hives: Object.fromEntries(registry.all().map((hive) => [hive.hiveId, hive.ring.list()])) });
  const stream = createFleetStream({ snapshot, history, now });

  const enrolLocal = (): HiveState | undefined => {
    if (local === undefined) return undefined;
    const { hiveId, token } = localIdentity(local.home);
    const known = registry.find(hiveId);
    return registry.enrol({
      hiveId,
      token,
      name: known?.name ?? hostname(),
      enrolment: "local",
      host: known?.host ?? null,
      port: known?.port ?? null,
      version: known?.version ?? null,
    });
  };
  const localWorkers = createLocalWorkers();
  const localState = enrolLocal();
  const localHive =
    local === undefined || localState === undefined
      ? undefined
      : createLocalHive({
          ...local,
          log,
          workers: localWorkers,
          onListening: (port) => {
            registry.setContact(localState, reachableHost(local.host), port);
          },
          onProblem: (problem) => {
            registry.setProblem(localState, problem);
          },
        });

  registry.onTransition((transition) => {
    const { hive_id, name, from, to } = transition;
    log.info({ hive_id, hive: name, from, to }, "health changed");
    stream.transition(transition);
  });

  return {
    registry,
    contact,
    localWorkers,
    expect: (hive) => registry.expect(hive),
    forget(hiveId) {
      const hive = registry.find(hiveId);
      if (hive === undefined) return;
      registry.remove(hiveId);
      log.info({ hive: hive.name }, "hive forgotten");
      stream.publish();
    },
    onTransition: (listener) => registry.onTransition(listener),
    snapshot: (viewer) => snapshot(viewer.user.role),
    get: (viewer, hiveId) => fleetHive(registry.get(hiveId), viewer.user.role === "admin"),
    history,
    stream: (viewer, signal) => stream.open(viewer.user.role, signal),
    remove(actor, hiveId) {
      requireAdmin(actor);
      const hive = registry.get(hiveId);
      if (hive === localState)
        throw new RbeeError("forbidden", "This hive belongs to the queen's own machine.", {
          suggestion: "Set RBEE_LOCAL_HIVE=false to run the queen without it.",
        });
      registry.remove(hiveId);
      log.info({ hive: hive.name, by: actor.user.name }, "hive removed");
      stream.publish();
    },
    workers: createWorkers({ registry, contact }),
    discover: () => contact.discover(),
    async stopWorker(hiveId, workerId) {
      await contact.client(registry.get(hiveId)).stopWorker({
        params: { id: workerId },
        query: { drain_ms: drainMs },
        timeoutMs: drainMs + 10_000,
      });
    },
    heartbeat(heartbeat, token, sender) {
      if (stopping) throw new RbeeError("overloaded", "The queen is stopping.", { retryAfterS: 5 });
      // Its heartbeats may come over another interface than the one that it listens on.
      const isLocal = local !== undefined && heartbeat.hive_id === localState?.hiveId;
      const host = isLocal ? reachableHost(local.host) : sender;
      contact.refreshWhenChanged(registry.heartbeat(heartbeat, token, host));
    },
    enroll,
    joinTokens: joinTokens.api,
    start(localUrl) {
      localHive?.start(localUrl);
      let second = false;
      timers.push(
        setInterval(() => {
          registry.tick();
          second = !second;
          if (second) stream.publish();
        }, tickMs),
        setTimeout(() => {
          void contact.discover();
        }, options.discoveryDelayMs),
      );
    },
    closeStreams() {
      stopping = true;
      stream.close();
    },
    async stop() {
      stopping = true;
      for (const timer of timers) clearTimeout(timer);
      await localHive?.stop();
      registry.flush();
    },
  };
}
