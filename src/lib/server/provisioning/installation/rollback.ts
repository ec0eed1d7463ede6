import { RbeeError, type Beehive, type SshAccess } from "@rbee/contract";
import { bundleManifestSchema, manifestFile } from "@rbee/bundle";
import { narrate } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import type { InstalledHive } from "../types.ts";
import { identityFor } from "./identity.ts";
import { reachManaged, refuseEmpty } from "./managed.ts";
import { readText } from "./remote.ts";
import { noChanges, replaceHive } from "./replace.ts";
import { undo } from "./undo.ts";

/**
 * Goes back to the version that ran before. The one that runs now becomes the previous one, so that a second rollback
 * undoes the first.
 * @throws {RbeeError} `not_found` when there is no earlier version; what the failing step throws
 */
export async function rollBack(
  parts: Parts,
  beehive: Beehive,
  ssh: SshAccess | undefined,
  signal: AbortSignal,
): Promise<InstalledHive> {
  const managed = await reachManaged(parts, beehive, ssh);
  const { remote, facts, standing, found } = managed;
  const { name, hive_port: port, auto_start: autoStart } = beehive;
  const current = refuseEmpty(managed);
  const tree = standing.previous;
  if (tree === null || !standing.trees.includes(tree))
    throw new RbeeError("not_found", `There is no earlier version on ${name}.`, {
      suggestion: "An upgrade keeps the version before it; after a first installation there is none.",
    });
  const queenUrl = await parts.urlTowards(remote.machine.target.host);
  if (queenUrl === null)
    throw new RbeeError("queen_unreachable", `${name} could not reach the queen.`, {
      suggestion: "Start the queen with RBEE_HOST=0.0.0.0, or set RBEE_PUBLIC_URL.",
    });
  const text = await readText(remote, `${remote.layout.hive}/${tree}/${manifestFile}`, signal);
  const { version, build } = bundleManifestSchema.parse(JSON.parse(text ?? "null"));
  narrate({ action: "rollback_start", message: `Going back from ${current} to ${tree} on ${name}.` });
  const identity = identityFor(found.file, { queenUrl, name, port });
  const changes = noChanges();
  const before = { standing, identityText: found.text, wasRunning: facts.pid !== null, autoStart };
  try {
    const replacement = { tree, version, build, identity, port, autoStart, previous: current, stopFirst: true };
    await replaceHive(parts, remote, replacement, changes);
    signal.throwIfAborted();
  } catch (error) {
    await undo(parts, remote, before, changes);
    throw error;
  }
  narrate({ action: "rollback_complete", message: `${name} runs rbee ${version}, build ${build}, again.` });
  return { hive_id: identity.hive_id, name, version, build };
}
