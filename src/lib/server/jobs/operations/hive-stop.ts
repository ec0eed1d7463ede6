import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { onMachine } from "./on-machine.ts";
import type { Operation } from "./operation.ts";

/** Answers may take 30 s to end, connecting as long. */
const limitMs = 150_000;

/** Stops the hive of a machine. @throws {RbeeError} as `onMachine` does. */
export function hiveStop(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_stop" }>,
): Operation {
  return onMachine(provisioning, request.hive, {
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.stop(request, signal),
  });
}
