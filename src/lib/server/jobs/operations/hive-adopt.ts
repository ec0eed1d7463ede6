import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

const limitMs = 120_000;

/** Takes over a hive that runs already. @throws {RbeeError} `already_exists` while something else is being done there. */
export function hiveAdopt(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_adopt" }>,
): Operation {
  provisioning.refuseIfBusy(request.target);
  return {
    subject: request.name ?? request.target,
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.adopt(request, signal),
  };
}
