import type {
  Beehive,
  beehiveAddSchema,
  beehiveUpdateSchema,
  JobRequest,
  NearbyMachine,
  PreflightReport,
  SyncOutcome,
  SyncPlanEntry,
} from "@rbee/contract";
import type * as z from "zod";

type Input<Name extends JobRequest["operation"]> = Omit<Extract<JobRequest, { operation: Name }>, "operation">;

/** The hive that an operation left behind, as its job's result tells it. */
export interface InstalledHive {
  readonly hive_id: string;
  readonly name: string;
  readonly version: string;
  readonly build: string | null;
}

/**
 * What happens on other machines. Each of these is the body of a job: it narrates its steps, stops when the signal
 * aborts, and throws the error of the step that failed. One machine has one of them at a time.
 */
export interface HiveOperations {
  check(input: Input<"hive_check">, signal: AbortSignal): Promise<PreflightReport>;
  install(input: Input<"hive_install">, signal: AbortSignal): Promise<InstalledHive>;
  adopt(input: Input<"hive_adopt">, signal: AbortSignal): Promise<InstalledHive>;
  upgrade(input: Input<"hive_upgrade">, signal: AbortSignal): Promise<InstalledHive>;
  rollback(input: Input<"hive_rollback">, signal: AbortSignal): Promise<InstalledHive>;
  uninstall(input: Input<"hive_uninstall">, signal: AbortSignal): Promise<{ removed: string[] }>;
  start(input: Input<"hive_start">, signal: AbortSignal): Promise<InstalledHive>;
  stop(input: Input<"hive_stop">, signal: AbortSignal): Promise<{ hive_id: string | null }>;
  sync(input: Input<"hive_sync">, signal: AbortSignal): Promise<{ plan: SyncPlanEntry[]; hives: SyncOutcome[] }>;
}

/** The machines of the household, as routes and pages use them. */
export interface Machines {
  readonly beehives: {
    list(): Beehive[];
    /** Tests the connection, then remembers. @throws {RbeeError} `already_exists`, `invalid_request`, `ssh_*`. */
    add(input: z.output<typeof beehiveAddSchema>, signal: AbortSignal): Promise<Beehive>;
    /** @throws {RbeeError} `node_not_found`, `already_exists`, `ssh_*`. */
    update(input: z.output<typeof beehiveUpdateSchema>, signal: AbortSignal): Promise<Beehive>;
    /** @throws {RbeeError} `node_not_found`. */
    remove(name: string): void;
  };
  /** Machines that could join, as the last look around found them. */
  nearby(): NearbyMachine[];
  /** The log of a hive as text, from the hive itself or over SSH. @throws {RbeeError} `node_not_found`, `ssh_*`. */
  logs(
    hiveId: string,
    query: { lines: number; follow: boolean },
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>;
}
