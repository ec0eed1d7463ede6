import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/** Makes the machines what hives.conf says, all at once. */
export function hiveSync(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_sync" }>,
): Operation {
  return {
    subject: request.only?.join(", ") ?? "hives.conf",
    // Machines are worked on at the same time; one may need an installation after a look at it.
    timeoutMs: provisioning.installTimeoutMs + 60_000,
    perform: (signal) => provisioning.operations.sync(request, signal),
  };
}
