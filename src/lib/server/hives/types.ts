import type {
  FleetHistory,
  FleetHive,
  FleetSnapshot,
  Heartbeat,
  HouseholdWorker,
  WorkerCheck,
  enrollAnswerSchema,
  enrollRequestSchema,
  joinTokenCreatedSchema,
  joinTokenRequestSchema,
  joinTokenSchema,
} from "@rbee/contract";
import type * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";

export type JoinToken = z.infer<typeof joinTokenSchema>;
export type JoinTokenCreated = z.infer<typeof joinTokenCreatedSchema>;

/** What asking one hive for its capabilities gave. */
export interface DiscoveryResult {
  readonly hive_id: string;
  readonly name: string;
  readonly reachable: boolean;
  readonly error: string | null;
}

/** The workers of the household, whichever hive they run on. */
export interface HouseholdWorkers {
  list(viewer: Person): HouseholdWorker[];
  /** Whether a worker answers, asked of its process. @throws {RbeeError} `worker_not_found`, `hive_unreachable`. */
  check(workerId: string): Promise<WorkerCheck & { hive_id: string; hive: string }>;
  /** A worker's log as text, also of one that has ended. @throws {RbeeError} `worker_not_found`, `hive_unreachable`. */
  logs(
    workerId: string,
    query: { lines: number; follow: boolean },
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>;
}

export interface Hives {
  /** The fleet now; addresses are null for members. */
  snapshot(viewer: Person): FleetSnapshot;
  /** @throws {RbeeError} `node_not_found`. */
  get(viewer: Person, hiveId: string): FleetHive;
  history(): FleetHistory;
  /** The server-sent events of `GET /v1/fleet/stream`; ends when `signal` aborts or the queen stops. */
  stream(viewer: Person, signal: AbortSignal): ReadableStream<Uint8Array>;
  /** Forgets a hive. @throws {RbeeError} `node_not_found`, `forbidden` for the queen's own hive. */
  remove(actor: Person, hiveId: string): void;
  readonly workers: HouseholdWorkers;
  /** Asks every enrolled hive for its capabilities, in parallel, 10 s at most each. */
  discover(): Promise<DiscoveryResult[]>;
  /** Drains and stops a worker. @throws {RbeeError} `node_not_found`, `worker_not_found`, `hive_unreachable`. */
  stopWorker(hiveId: string, workerId: string): Promise<void>;
  /**
   * Takes a hive's heartbeat.
   * @param sender address the heartbeat came from
   * @throws {RbeeError} `missing_api_key`, `invalid_api_key`, `node_not_found`, `overloaded`.
   */
  heartbeat(heartbeat: Heartbeat, token: string | null, sender: string): void;
  /**
   * A machine joins with a join token.
   * @throws {RbeeError} `invalid_api_key` for a token that cannot be used, `already_exists` when the hive is enrolled
   * with another secret, `hive_version_mismatch`, `rate_limited`.
   */
  enroll(request: z.output<typeof enrollRequestSchema>, sender: string): Promise<z.infer<typeof enrollAnswerSchema>>;
  readonly joinTokens: {
    /** Those that can still be used. */
    list(): JoinToken[];
    /** @param apiUrl base URL of this queen, put into the command that the token comes with. */
    create(input: z.output<typeof joinTokenRequestSchema>, apiUrl: string): JoinTokenCreated;
    /** @throws {RbeeError} `not_found`. */
    revoke(id: string): void;
  };
}
