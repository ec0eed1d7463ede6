import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/**
 * Brings the queen's own version to a hive.
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function hiveUpgrade(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_upgrade" }>,
): Operation {
  const machine = provisioning.machine(request.hive);
  provisioning.refuseIfBusy(machine.target);
  return {
    subject: machine.name,
    timeoutMs: provisioning.installTimeoutMs,
    perform: (signal) => provisioning.operations.upgrade(request, signal),
  };
}
