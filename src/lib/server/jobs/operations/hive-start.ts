import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

const limitMs = 180_000;

/**
 * Starts the hive of a machine.
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function hiveStart(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_start" }>,
): Operation {
  const machine = provisioning.machine(request.hive);
  provisioning.refuseIfBusy(machine.target);
  return {
    subject: machine.name,
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.start(request, signal),
  };
}
