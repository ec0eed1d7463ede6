import { narrate, step } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import { awaitHeartbeat } from "./heartbeat.ts";
import { identityText, type HiveFile } from "./identity.ts";
import { run, writeText, type Remote } from "./remote.ts";
import { installService, startHive, stopHive } from "./running.ts";
import { linkScript, versionScript } from "./trees.ts";

/** A tree that takes the place of what ran before. */
export interface Replacement {
  readonly tree: string;
  readonly version: string;
  readonly build: string;
  /** The tree that `previous` will point to. */
  readonly previous: string | null;
  readonly identity: HiveFile & { readonly queen_url: string };
  readonly port: number;
  readonly autoStart: boolean;
  readonly stopFirst: boolean;
}

/** What has been changed so far, and has to be undone when the rest fails. */
export interface Changes {
  /** Whether what ran before, its links or its service were changed. */
  touched: boolean;
  /** The hive's id when it was not enrolled before. */
  newHiveId: string | null;
  sourceIsNew: boolean;
  stopExpecting(): void;
}

export const noChanges = (): Changes => ({
  touched: false,
  newHiveId: null,
  sourceIsNew: false,
  stopExpecting: () => {},
});

/**
 * The steps from `verify` to `wait_heartbeat`: what ran before makes way, and the new one has to report.
 * @param changes is kept up to date for undoing
 * @throws {RbeeError} what the failing step throws
 */
export async function replaceHive(parts: Parts, remote: Remote, wanted: Replacement, changes: Changes): Promise<void> {
  const { layout, name } = remote;
  const { tree, build, identity } = wanted;
  const { hive_id: hiveId, hive_token: token, queen_url: queenUrl } = identity;
  await verify(remote, tree, wanted.version);
  if (parts.hives.registry.find(hiveId) === undefined) changes.newHiveId = hiveId;
  changes.touched = true;
  if (wanted.stopFirst) await stopHive(remote);
  await step("switch", { timeoutMs: 30_000, message: `Putting build ${build} in its place` }, async (signal) => {
    await writeText(remote, layout.identity, identityText(identity), signal);
    await run(remote, "switch", linkScript(layout, { current: tree, previous: wanted.previous }), signal);
  });
  await installService(remote, wanted.autoStart);
  changes.stopExpecting = parts.hives.expect({ hiveId, token, name, enrolment: "ssh" });
  // Taken before the start: whoever reported until now is gone.
  const startedAt = parts.now();
  await startHive(remote);
  await awaitHeartbeat(parts, remote, { hiveId, port: wanted.port, queenUrl, build, startedAt });
}

/** The step `verify`: runs the program of a tree on the machine. @throws {RbeeError} `ssh_command_failed` with its words */
function verify(remote: Remote, tree: string, version: string): Promise<void> {
  return step("verify", { timeoutMs: 30_000, message: `Trying the program on ${remote.name}` }, async (signal) => {
    const { stdout } = await run(remote, "rbee-hive --version", versionScript(remote.layout, tree), signal);
    const said = stdout.trim();
    narrate({ action: "version", message: said });
    if (!said.includes(version))
      throw new Error(`The program that was put there says "${said}" instead of its version ${version}`);
  });
}
