import type { JobRequest } from "@rbee/contract";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

const limitMs = 120_000;

/** Looks at a machine and says what stands in the way of an installation; changes nothing there. */
export function hiveCheck(
  { provisioning }: { provisioning: Provisioning },
  request: Extract<JobRequest, { operation: "hive_check" }>,
): Operation {
  return {
    subject: request.target,
    timeoutMs: limitMs,
    perform: (signal) => provisioning.operations.check(request, signal),
  };
}
