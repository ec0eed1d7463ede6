import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/** Makes a machine a hive. @throws {RbeeError} `already_exists` while something else is being done with it. */
export function hiveInstall(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_install" }>,
): Operation {
  provisioning.refuseIfBusy(request.target);
  return {
    subject: request.name ?? request.target,
    timeoutMs: provisioning.installTimeoutMs,
    perform: (signal) => provisioning.operations.install(request, signal),
  };
}
