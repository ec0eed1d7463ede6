import type { Beehive, NearbyMachine } from "@rbee/contract";
import type { Db } from "#lib/server/db/index.ts";
import { program } from "#lib/server/program/index.ts";
import { createMachineAccess } from "./access.ts";
import { adopt } from "./adopt/index.ts";
import { createLogs } from "./logs/index.ts";
import { machineOf } from "./machine-of.ts";
import { createAnnouncements, createNearby } from "./nearby/index.ts";
import { createMachineOperations } from "./operations.ts";
import { createOneAtATime } from "./one-at-a-time.ts";
import type { Parts, ProvisioningOptions } from "./parts.ts";
import { createBeehives, createBeehiveStore } from "./registry/index.ts";
import { sync } from "./sync/index.ts";
import type { HiveOperations, Machines } from "./types.ts";

/** Machines and what can be done with them, with what only jobs and the queen itself call. */
export interface Provisioning extends Machines {
  readonly operations: HiveOperations;
  /** How long installing or upgrading may take, in milliseconds. */
  readonly installTimeoutMs: number;
  /** The machine that a person means by a name or an id. @throws {RbeeError} `node_not_found`, `invalid_request`. */
  machine(reference: string): Pick<Beehive, "name" | "target">;
  /** @throws {RbeeError} `already_exists` when an operation has this machine now. */
  refuseIfBusy(destination: string): void;
  /** Looks for machines that could join, now. */
  lookAround(): Promise<NearbyMachine[]>;
  /** The queen listens: begins to look for machines that could join. */
  start(): void;
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

  const announcements = createAnnouncements({ log: options.log });
  const nearby = createNearby({ ...parts, configDir: settings.configDir, announcements });
  let timer: NodeJS.Timeout | undefined;

  const operations: HiveOperations = {
    ...createMachineOperations(parts),
    adopt: (input, signal) => adopt(parts, input, signal),
    sync: (input, signal) => sync({ ...parts, operations, version: program.version }, input, signal),
  };

  return {
    operations,
    installTimeoutMs: settings.installTimeoutS * 1_000,
    machine: (reference) => machineOf(parts, reference),
    refuseIfBusy: (destination) => {
      parts.oneAtATime.refuseIfBusy(destination);
    },
    async stop() {
      clearTimeout(timer);
      nearby.stop();
      await Promise.all([announcements.stop(), access.close()]);
    },
    beehives: createBeehives({ store: parts.beehives, access }),
    nearby: () => nearby.list(),
    lookAround: () => nearby.look(),
    logs: createLogs(parts),
    start() {
      if (settings.announce) announcements.start();
      timer = setTimeout(() => {
        void nearby.look();
      }, settings.discoveryDelayS * 1_000);
    },
  };
}
