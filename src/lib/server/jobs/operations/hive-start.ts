import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { onMachine } from "./on-machine.ts";
import type { Operation } from "./operation.ts";

const limitMs = 180_000;

/** Starts the hive of a machine. @throws {RbeeError} as `onMachine` does. */
export function hiveStart(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_start" }>,
): Operation {
  return onMachine(provisioning, request.hive, {
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.start(request, signal),
  });
}
