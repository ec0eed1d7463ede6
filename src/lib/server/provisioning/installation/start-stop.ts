import { RbeeError, type Beehive, type SshAccess } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import type { InstalledHive } from "../types.ts";
import { awaitHeartbeat } from "./heartbeat.ts";
import { identityFor, identityText } from "./identity.ts";
import { reachManaged, refuseEmpty, type Managed } from "./managed.ts";
import { writeText } from "./remote.ts";
import { installService, startHive, stopHive } from "./running.ts";

/**
 * Starts the hive of a machine and waits for its heartbeat. One that runs already is told where the queen is.
 * @throws {RbeeError} `not_found` when none is installed; what the failing step throws
 */
export async function startManaged(parts: Parts, beehive: Beehive, ssh: SshAccess | undefined): Promise<InstalledHive> {
  const managed = await reachManaged(parts, beehive, ssh);
  const { remote, facts, found } = managed;
  const { name, hive_port: port } = beehive;
  refuseEmpty(managed);
  const queenUrl = (await parts.urlTowards(remote.machine.target.host)) ?? found.file?.queen_url;
  if (queenUrl === undefined)
    throw new RbeeError("queen_unreachable", `${name} could not reach the queen.`, {
      suggestion: "Start the queen with RBEE_HOST=0.0.0.0, or set RBEE_PUBLIC_URL.",
    });
  const identity = identityFor(found.file, { queenUrl, name, port });
  const hiveId = identity.hive_id;
  const stopExpecting = parts.hives.expect({ hiveId, token: identity.hive_token, name, enrolment: "ssh" });
  const startedAt = parts.now();
  try {
    if (facts.pid === null) {
      await step("identity", { timeoutMs: 30_000, message: `Telling ${name} where the queen is` }, (signal) =>
        writeText(remote, remote.layout.identity, identityText(identity), signal),
      );
      await installService(remote, beehive.auto_start);
      await startHive(remote);
    } else await remind(parts, hiveId, name);
    const build = facts.current?.build ?? null;
    await awaitHeartbeat(parts, remote, { hiveId, port, queenUrl, build, startedAt });
  } finally {
    stopExpecting();
  }
  const { version, build } = facts.current ?? { version: "unknown", build: null };
  return { hive_id: hiveId, name, version, build };
}

/** A hive that runs but is silent waits to be told where the queen is. */
async function remind(parts: Parts, hiveId: string, name: string): Promise<void> {
  narrate({ action: "already_running", message: `The hive on ${name} runs already.` });
  const hive = parts.hives.registry.find(hiveId);
  if (hive === undefined) return;
  await parts.hives.contact.ask(hive).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : "no answer";
    narrate({ action: "not_reachable", level: "warn", message: `The queen cannot reach ${name}: ${why}` });
  });
}

/**
 * Stops the hive of a machine, and its workers with it; comes back when its process is gone.
 * @throws {RbeeError} what the failing step throws
 */
export async function stopManaged(
  parts: Parts,
  beehive: Beehive,
  ssh: SshAccess | undefined,
): Promise<{ hive_id: string | null }> {
  const managed: Managed = await reachManaged(parts, beehive, ssh);
  await stopHive(managed.remote);
  return { hive_id: managed.found.file?.hive_id ?? beehive.hive_id };
}
