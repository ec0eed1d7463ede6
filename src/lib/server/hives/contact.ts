import { hiveClient, RbeeError, toRbeeError, type Capabilities, type FetchLike, type HiveClient } from "@rbee/contract";
import type { Logger } from "pino";
import { urlHost } from "#lib/server/network/index.ts";
import type { HiveState, Registry } from "./registry.ts";
import type { DiscoveryResult } from "./types.ts";

const discoveryLimitMs = 10_000;
/** How long a hive that could not be asked is left alone before its heartbeats make the queen ask again; it doubles. */
const askAgainAfterMs = { first: 5_000, most: 60_000 };

/** Where a hive listens, and the token that it knows the queen by. */
export interface HiveConnection {
  readonly baseUrl: string;
  readonly token: string;
  readonly name: string;
}

/** The queen's side of talking to hives. */
export interface Contact {
  /** @throws {RbeeError} `hive_unreachable` when no address is known. */
  connection(hive: HiveState): HiveConnection;
  client(hive: HiveState): HiveClient;
  /** Reads a hive's capabilities when they are unknown or have changed; one call at a time for each hive. */
  refreshWhenChanged(hive: HiveState): void;
  /** Asks one hive now, and tells it where this queen is. @throws {RbeeError} when it does not answer as it should. */
  ask(hive: HiveState): Promise<Capabilities>;
  /** Asks every hive, and tells it where this queen is. */
  discover(): Promise<DiscoveryResult[]>;
}

export interface ContactOptions {
  registry: Registry;
  fetch: FetchLike;
  log: Logger;
  now: () => number;
  /** The URL by which a machine at this host reaches the queen; null when it is unknown. */
  advertisedUrl: (host: string) => Promise<string | null>;
}

export function createContact({ registry, fetch, log, now, advertisedUrl }: ContactOptions): Contact {
  const asking = new Map<string, Promise<Capabilities>>();
  const failures = new Map<string, { count: number; askAgainAt: number }>();

  const connection = (hive: HiveState): HiveConnection => {
    if (hive.host === null || hive.port === null)
      throw new RbeeError("hive_unreachable", `The address of ${hive.name} is not known yet.`, {
        suggestion: "Start rbee-hive on that machine; it tells the queen where it is.",
      });
    return { baseUrl: `http://${urlHost(hive.host)}:${hive.port}`, token: hive.token, name: hive.name };
  };
  const client = (hive: HiveState) => hiveClient({ ...connection(hive), fetch });

  const askOnce = async (hive: HiveState, queenUrl: string | null): Promise<Capabilities> => {
    try {
      const capabilities = await client(hive).capabilities({
        query: queenUrl === null ? {} : { queen_url: queenUrl },
        timeoutMs: discoveryLimitMs,
      });
      if (capabilities.hive_id !== hive.hiveId)
        throw new RbeeError("hive_invalid_response", `Another hive answers at the address of ${hive.name}.`);
      registry.setCapabilities(hive, capabilities);
      failures.delete(hive.hiveId);
      return capabilities;
    } catch (thrown) {
      const count = failures.get(hive.hiveId)?.count ?? 0;
      const { first, most } = askAgainAfterMs;
      failures.set(hive.hiveId, { count: count + 1, askAgainAt: now() + Math.min(most, first * 2 ** count) });
      registry.setProblem(hive, toRbeeError(thrown));
      throw thrown;
    }
  };
  const ask = (hive: HiveState, queenUrl: string | null): Promise<Capabilities> => {
    const running = asking.get(hive.hiveId);
    if (running !== undefined && queenUrl === null) return running;
    const call = askOnce(hive, queenUrl).finally(() => {
      if (asking.get(hive.hiveId) === call) asking.delete(hive.hiveId);
    });
    asking.set(hive.hiveId, call);
    return call;
  };

  const askNow = async (hive: HiveState) => ask(hive, hive.host === null ? null : await advertisedUrl(hive.host));

  return {
    connection,
    ask: askNow,
    client,
    refreshWhenChanged(hive) {
      const rev = hive.heartbeat?.capabilities_rev;
      if (hive.capabilities !== null && hive.capabilities.capabilities_rev === rev) return;
      if (asking.has(hive.hiveId) || now() < (failures.get(hive.hiveId)?.askAgainAt ?? 0)) return;
      // The hive reached us, so it knows a URL that works: none is given.
      ask(hive, null).catch((error: unknown) => {
        log.warn({ hive: hive.name, err: toRbeeError(error).message }, "capabilities could not be read");
      });
    },
    async discover() {
      const askHive = async (hive: HiveState): Promise<DiscoveryResult> => {
        const who = { hive_id: hive.hiveId, name: hive.name };
        try {
          await askNow(hive);
          log.info({ hive: hive.name, host: hive.host }, "discovery: reachable");
          return { ...who, reachable: true, error: null };
        } catch (thrown) {
          const error = toRbeeError(thrown).message;
          log.info({ hive: hive.name, host: hive.host, err: error }, "discovery: not reachable");
          return { ...who, reachable: false, error };
        }
      };
      return Promise.all(registry.all().map(askHive));
    },
  };
}
