import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/** Answers may take 30 s to end, connecting as long. */
const limitMs = 150_000;

/**
 * Stops the hive of a machine.
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function hiveStop(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_stop" }>,
): Operation {
  const machine = provisioning.machine(request.hive);
  provisioning.refuseIfBusy(machine.target);
  return {
    subject: machine.name,
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.stop(request, signal),
  };
}
