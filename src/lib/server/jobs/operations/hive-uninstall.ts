import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { onMachine } from "./on-machine.ts";
import type { Operation } from "./operation.ts";

/** Stopping lets answers end for 30 s. */
const limitMs = 180_000;

/** Removes from a machine what the installation put there. @throws {RbeeError} as `onMachine` does. */
export function hiveUninstall(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_uninstall" }>,
): Operation {
  return onMachine(provisioning, request.hive, {
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.uninstall(request, signal),
  });
}
