import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/** Stopping lets answers end for 30 s. */
const limitMs = 180_000;

/**
 * Removes from a machine what the installation put there.
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function hiveUninstall(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_uninstall" }>,
): Operation {
  const machine = provisioning.machine(request.hive);
  provisioning.refuseIfBusy(machine.target);
  return {
    subject: machine.name,
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.uninstall(request, signal),
  };
}
