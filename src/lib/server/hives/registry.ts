import { createHash, timingSafeEqual } from "node:crypto";
import {
  freshnessMs,
  RbeeError,
  type Capabilities,
  type EnrolmentKind,
  type Health,
  type HealthTransition,
  type Heartbeat,
} from "@rbee/contract";
import { healthOf } from "./liveness.ts";
import type { HiveStore } from "./store.ts";
import { createTelemetryRing, sampleOf, type TelemetryRing } from "./telemetry-ring.ts";

const lastSeenEveryMs = 30_000;
/** Far above any household; beyond it the queen says 503 rather than falling behind. */
const heartbeatsPerSecond = 5_000;

/** A hive as the queen knows it now. Only the registry changes it. */
export interface HiveState {
  readonly hiveId: string;
  readonly enrolment: EnrolmentKind;
  readonly createdAt: number;
  readonly ring: TelemetryRing;
  name: string;
  token: string;
  tokenHash: Buffer;
  host: string | null;
  port: number | null;
  version: string | null;
  capabilities: Capabilities | null;
  heartbeat: Heartbeat | null;
  health: Health;
  /** Since the household began, also from earlier runs of the queen. */
  lastSeenAt: number | null;
  /** In this run of the queen. */
  lastHeartbeatAt: number | null;
  expectedSince: number;
  problem: RbeeError | null;
}

/** A hive that may report for the first time, or with a new token. */
export interface ExpectedHive {
  readonly hiveId: string;
  readonly token: string;
  readonly name: string;
  readonly enrolment: EnrolmentKind;
}

export interface Registry {
  all(): readonly HiveState[];
  find(hiveId: string): HiveState | undefined;
  /** @throws {RbeeError} `node_not_found`. */
  get(hiveId: string): HiveState;
  /** Adds a hive, or takes over what an enrolled one now says of itself. */
  enrol(hive: {
    hiveId: string;
    token: string;
    name: string;
    enrolment: EnrolmentKind;
    host: string | null;
    port: number | null;
    version: string | null;
  }): HiveState;
  /** The first heartbeat with this token enrols the hive. The answer takes that back as long as none has come. */
  expect(hive: ExpectedHive): () => void;
  remove(hiveId: string): void;
  holdsToken(hive: HiveState, token: string): boolean;
  /** @throws {RbeeError} `missing_api_key`, `invalid_api_key`, `node_not_found`, `overloaded`. */
  heartbeat(heartbeat: Heartbeat, token: string | null, sender: string): HiveState;
  setContact(hive: HiveState, host: string, port: number): void;
  setCapabilities(hive: HiveState, capabilities: Capabilities): void;
  setProblem(hive: HiveState, problem: RbeeError | null): void;
  /** Derives everybody's health again; called twice a second. */
  tick(): void;
  onTransition(listener: (transition: HealthTransition) => void): () => void;
  /** Writes when hives were last seen. */
  flush(): void;
}

const hash = (token: string) => createHash("sha256").update(token).digest();

export function createRegistry(store: HiveStore, now: () => number): Registry {
  const startedAt = now();
  const hives = new Map<string, HiveState>();
  const expected = new Map<string, ExpectedHive>();
  const listeners = new Set<(transition: HealthTransition) => void>();
  let savedAt = startedAt;
  let second = 0;
  let inThisSecond = 0;

  const fresh = { heartbeat: null, lastHeartbeatAt: null, problem: null, health: "starting" as const };
  for (const { token, ...hive } of store.load())
    hives.set(hive.hiveId, {
      ...hive,
      ...fresh,
      token,
      tokenHash: hash(token),
      ring: createTelemetryRing(),
      expectedSince: startedAt,
    });

  const derive = (hive: HiveState) => {
    const to = healthOf({ ...hive, knownBefore: hive.lastSeenAt !== null }, now());
    const from = hive.health;
    if (from === to) return;
    hive.health = to;
    const transition: HealthTransition = { ts: now(), hive_id: hive.hiveId, name: hive.name, from, to };
    for (const listener of listeners) listener(transition);
  };

  const setContact = (hive: HiveState, host: string | null, port: number | null, version: string | null) => {
    if (hive.host === host && hive.port === port && hive.version === version) return;
    Object.assign(hive, { host, port, version });
    store.setContact(hive.hiveId, { host, port, version });
  };

  const refuseFlood = () => {
    const current = Math.floor(now() / 1000);
    inThisSecond = current === second ? inThisSecond + 1 : 1;
    second = current;
    if (inThisSecond > heartbeatsPerSecond)
      throw new RbeeError("overloaded", "The queen gets more heartbeats than it can take.", { retryAfterS: 2 });
  };

  const flush = () => {
    savedAt = now();
    store.setLastSeen(
      new Map(
        [...hives.values()].flatMap((hive) =>
          hive.lastHeartbeatAt === null ? [] : [[hive.hiveId, hive.lastHeartbeatAt]],
        ),
      ),
    );
  };

  const holdsToken = (hive: HiveState, token: string) => timingSafeEqual(hash(token), hive.tokenHash);

  const enrol: Registry["enrol"] = ({ token, ...given }) => {
    const known = hives.get(given.hiveId);
    if (known !== undefined) {
      Object.assign(known, given, { token, tokenHash: hash(token) });
      store.save(known);
      return known;
    }
    const hive: HiveState = {
      ...given,
      ...fresh,
      token,
      tokenHash: hash(token),
      capabilities: null,
      createdAt: now(),
      lastSeenAt: null,
      ring: createTelemetryRing(),
      expectedSince: now(),
    };
    hives.set(hive.hiveId, hive);
    store.save(hive);
    return hive;
  };

  /** Enrols the hive that sends this heartbeat if it is expected. */
  const enrolExpected = (heartbeat: Heartbeat, token: string, sender: string) => {
    const hive = expected.get(heartbeat.hive_id);
    if (hive === undefined || !timingSafeEqual(hash(token), hash(hive.token))) return;
    expected.delete(hive.hiveId);
    enrol({ ...hive, host: sender, port: heartbeat.port, version: heartbeat.version });
  };

  return {
    all: () => [...hives.values()],
    find: (hiveId) => hives.get(hiveId),
    get(hiveId) {
      const hive = hives.get(hiveId);
      if (hive === undefined)
        throw new RbeeError("node_not_found", "No such hive is enrolled in this household.", {
          suggestion: "Make a join token and start the hive with it.",
        });
      return hive;
    },
    enrol,
    expect(hive) {
      expected.set(hive.hiveId, hive);
      return () => {
        if (expected.get(hive.hiveId) === hive) expected.delete(hive.hiveId);
      };
    },
    remove(hiveId) {
      hives.delete(hiveId);
      store.remove(hiveId);
    },
    holdsToken,
    heartbeat(heartbeat, token, sender) {
      refuseFlood();
      if (token === null) throw new RbeeError("missing_api_key", "A heartbeat needs the hive's token.");
      enrolExpected(heartbeat, token, sender);
      const hive = hives.get(heartbeat.hive_id);
      if (hive === undefined)
        throw new RbeeError("node_not_found", "This hive is not enrolled here.", {
          suggestion: "Join it with a token from `rbee hive token create`.",
        });
      if (!holdsToken(hive, token)) throw new RbeeError("invalid_api_key", "This is not the hive's token.");
      const ts = now();
      hive.lastHeartbeatAt = ts;
      hive.lastSeenAt = ts;
      hive.heartbeat = heartbeat;
      hive.ring.push(sampleOf(heartbeat.node, ts));
      setContact(hive, sender, heartbeat.port, heartbeat.version);
      derive(hive);
      return hive;
    },
    setContact: (hive, host, port) => {
      setContact(hive, host, port, hive.version);
    },
    setCapabilities(hive, capabilities) {
      // The answer of a hive that was removed while it was asked must not bring it back.
      if (hives.get(hive.hiveId) !== hive) return;
      hive.capabilities = capabilities;
      hive.name = capabilities.name;
      hive.problem = null;
      store.save(hive);
      store.setCapabilities(hive.hiveId, capabilities);
    },
    setProblem(hive, problem) {
      hive.problem = problem;
    },
    tick() {
      for (const hive of hives.values()) {
        derive(hive);
        // Old workers of a hive that is gone would look as if they still ran.
        if (
          hive.health === "down" &&
          hive.heartbeat !== null &&
          now() - (hive.lastHeartbeatAt ?? 0) > freshnessMs.downAfter
        )
          hive.heartbeat = { ...hive.heartbeat, workers: [] };
      }
      if (now() - savedAt >= lastSeenEveryMs) flush();
    },
    onTransition(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    flush,
  };
}
