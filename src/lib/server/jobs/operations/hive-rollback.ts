import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/**
 * Goes back to the version before the last upgrade.
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function hiveRollback(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_rollback" }>,
): Operation {
  const machine = provisioning.machine(request.hive);
  provisioning.refuseIfBusy(machine.target);
  return {
    subject: machine.name,
    timeoutMs: provisioning.installTimeoutMs,
    perform: (signal) => provisioning.operations.rollback(request, signal),
  };
}
