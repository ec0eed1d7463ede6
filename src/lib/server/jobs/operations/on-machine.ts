import type { Provisioning } from "#lib/server/provisioning/index.ts";
import type { Operation } from "./operation.ts";

/**
 * An operation on a machine that the queen reaches over SSH, which nothing else may be working on.
 * @param hive the machine as a person calls it: a name or an id
 * @throws {RbeeError} `node_not_found`, `invalid_request`; `already_exists` while something else is being done there.
 */
export function onMachine(
  provisioning: Provisioning,
  hive: string,
  { timeoutMs, perform }: Pick<Operation, "timeoutMs" | "perform">,
): Operation {
  const machine = provisioning.machine(hive);
  provisioning.refuseIfBusy(machine.target);
  return { subject: machine.name, timeoutMs, perform };
}
