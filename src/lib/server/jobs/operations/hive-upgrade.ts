import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { onMachine } from "./on-machine.ts";
import type { Operation } from "./operation.ts";

/** Brings the queen's own version to a hive. @throws {RbeeError} as `onMachine` does. */
export function hiveUpgrade(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_upgrade" }>,
): Operation {
  return onMachine(provisioning, request.hive, {
    timeoutMs: provisioning.installTimeoutMs,
    perform: (signal) => provisioning.operations.upgrade(request, signal),
  });
}
