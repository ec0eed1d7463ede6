import type { Beehive, SshAccess } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { Layout } from "../layout.ts";
import type { Parts } from "../parts.ts";
import { quote } from "../ssh/index.ts";
import { reachManaged } from "./managed.ts";
import { run } from "./remote.ts";
import { stopHive } from "./running.ts";
import type { Standing } from "./trees.ts";

/**
 * Removes from a machine what an installation put there; models only when asked. The machine stays in the registry,
 * without a hive.
 * @throws {RbeeError} what the failing step throws
 */
export async function uninstall(
  parts: Parts,
  beehive: Beehive,
  { ssh, removeModels }: { ssh: SshAccess | undefined; removeModels: boolean },
): Promise<{ removed: string[] }> {
  const { remote, standing, found } = await reachManaged(parts, beehive, ssh);
  const { name, hive_id: knownId } = beehive;
  await stopHive(remote);
  const removed = await step("remove", { timeoutMs: 60_000, message: `Removing rbee from ${name}` }, async (signal) => {
    await run(remote, "service", remote.service.remove(remote.layout), signal, { allowFailure: true });
    const script = removeScript(remote.layout, standing, { removeModels, source: "git" in beehive.install_method });
    const { stdout } = await run(remote, "remove", script, signal);
    return stdout.split("\n").filter((line) => line !== "");
  });
  const ids = [knownId, found.file?.hive_id].filter((id) => typeof id === "string");
  for (const hiveId of new Set(ids)) parts.hives.forget(hiveId);
  parts.beehives.save({
    name,
    target: beehive.target,
    hivePort: beehive.hive_port,
    autoStart: beehive.auto_start,
    installMethod: beehive.install_method,
    hiveId: null,
  });
  const kept = removeModels ? "" : " Its models stay.";
  narrate({ action: "uninstall_complete", message: `rbee is gone from ${name}.${kept}`, data: { removed } });
  return { removed };
}

/** Removes trees, links, logs and identity, and folders that are empty then; prints each path that was there. */
export function removeScript(
  layout: Layout,
  standing: Standing,
  { removeModels, source }: { removeModels: boolean; source: boolean },
): string {
  const { hive } = layout;
  const parent = (path: string) => path.slice(0, Math.max(1, path.lastIndexOf("/")));
  const names = [
    ...[
      "current",
      "previous",
      ...standing.trees,
      "hive.json",
      "hive.lock",
      "service.pid",
      "hive.db",
      "hive.db-wal",
      "hive.db-shm",
    ],
    ...["logs", "run", "parked", ...(removeModels ? ["models"] : [])],
  ];
  const paths = [...names.map((name) => `${hive}/${name}`), ...(source ? [layout.source] : [])];
  return `for path in ${paths.map(quote).join(" ")}; do
  if [ -e "$path" ] || [ -L "$path" ]; then rm -rf -- "$path" || exit 1; printf '%s\\n' "$path"; fi
done
rm -rf -- ${quote(hive)}/.*.part ${quote(hive)}/.bundle.tar.gz*
program=${quote(layout.program)}
if [ "$(readlink "$program" 2>/dev/null)" = ${quote(`${layout.current}/bin/rbee-hive`)} ]; then
  rm -f -- "$program" && printf '%s\\n' "$program"
fi
for folder in ${[`${hive}/models`, hive, parent(hive), parent(layout.program)].map(quote).join(" ")}; do
  rmdir -- "$folder" 2>/dev/null
done
:`;
}
