import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { onMachine } from "./on-machine.ts";
import type { Operation } from "./operation.ts";

/** Goes back to the version before the last upgrade. @throws {RbeeError} as `onMachine` does. */
export function hiveRollback(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_rollback" }>,
): Operation {
  return onMachine(provisioning, request.hive, {
    timeoutMs: provisioning.installTimeoutMs,
    perform: (signal) => provisioning.operations.rollback(request, signal),
  });
}
