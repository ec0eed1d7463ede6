import { RbeeError, type Beehive, type SshAccess } from "@rbee/contract";
import { step } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import { lookAt, type Facts } from "../preflight/index.ts";
import { serviceFor } from "../service/index.ts";
import { readIdentity, type FoundIdentity } from "./identity.ts";
import { run, type Remote } from "./remote.ts";
import { readStanding, standingScript, type Standing } from "./trees.ts";

/** A machine that rbee was installed on, as it is now. */
export interface Managed {
  readonly remote: Remote;
  readonly facts: Facts;
  readonly standing: Standing;
  readonly found: FoundIdentity;
}

/**
 * The steps `connect` and `look`: reaches a machine of the registry and sees what is installed there.
 * @throws {RbeeError} as connecting and running a command there do
 */
export async function reachManaged(parts: Parts, beehive: Beehive, ssh: SshAccess | undefined): Promise<Managed> {
  const { target, hive_port: port, name } = beehive;
  const machine = await parts.access.connect(target, ssh);
  return step("look", { timeoutMs: 60_000, message: `Looking at ${name}` }, async (signal) => {
    const { layout, facts } = await lookAt(parts, machine, { target, port }, signal);
    const remote: Remote = { machine, layout, service: serviceFor(facts.machine.service_manager), name };
    const standing = readStanding((await run(remote, "look", standingScript(layout), signal)).stdout);
    return { remote, facts, standing, found: await readIdentity(remote, signal) };
  });
}

/** @throws {RbeeError} `not_found` when no version is installed there. */
export function refuseEmpty({ standing, remote }: Managed): string {
  if (standing.current !== null) return standing.current;
  throw new RbeeError("not_found", `No hive is installed on ${remote.name}.`, {
    suggestion: `Install it: \`rbee hive install ${remote.machine.target.name}\`.`,
  });
}
