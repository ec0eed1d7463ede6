import { RbeeError } from "@rbee/contract";
import type { Db } from "#lib/server/db/index.ts";
import { createMachineAccess } from "./access.ts";
import { machineOf } from "./machine-of.ts";
import { check, install } from "./operations.ts";
import { createOneAtATime } from "./one-at-a-time.ts";
import type { Parts, ProvisioningOptions } from "./parts.ts";
import { createBeehives } from "./registry/beehives.ts";
import { createBeehiveStore } from "./registry/store.ts";
import type { HiveOperations, Machines } from "./types.ts";

/** Machines and what can be done with them, with what only jobs and the queen itself call. */
export interface Provisioning extends Machines {
  readonly operations: HiveOperations;
  /** How long installing or upgrading may take, in milliseconds. */
  readonly installTimeoutMs: number;
  /** The SSH destination of the machine that a person means. @throws {RbeeError} `node_not_found`, `invalid_request`. */
  targetOf(reference: string): string;
  /** @throws {RbeeError} `already_exists` when an operation has this machine now. */
  refuseIfBusy(destination: string): void;
  /** Closes every SSH connection; to be called when no job runs any more. */
  stop(): Promise<void>;
}

/** Composes everything that happens on other machines. */
export function createProvisioning(options: ProvisioningOptions & { readonly db: Db }): Provisioning {
  const { settings } = options;
  const access = createMachineAccess({ home: options.home, ...settings });
  const parts: Parts = {
    ...options,
    access,
    oneAtATime: createOneAtATime((destination) => access.resolve(destination)),
    beehives: createBeehiveStore(options.db, options.now),
  };

  const notYet = (what: string) => (): never => {
    throw new RbeeError("invalid_request", `This queen cannot ${what} yet.`);
  };
  const operations: HiveOperations = {
    check: (input) => check(parts, input),
    install: (input, signal) => install(parts, input, signal),
    adopt: notYet("adopt hives"),
    upgrade: notYet("upgrade hives"),
    rollback: notYet("roll hives back"),
    uninstall: notYet("uninstall hives"),
    start: notYet("start hives"),
    stop: notYet("stop hives"),
    sync: notYet("sync machines"),
  };

  return {
    operations,
    installTimeoutMs: settings.installTimeoutS * 1_000,
    targetOf: (reference) => machineOf(parts, reference).target,
    refuseIfBusy: (destination) => {
      parts.oneAtATime.refuseIfBusy(destination);
    },
    stop: () => access.close(),
    beehives: createBeehives({ store: parts.beehives, access }),
    nearby: () => [],
    logs: notYet("show logs"),
  };
}
