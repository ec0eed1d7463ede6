import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { waitFor } from "../wait-for.ts";
import { account } from "./files.ts";
import { run, tryRun } from "./run.ts";
import { whyNoNamespaces } from "./available.ts";

const program = "/lib/systemd/systemd";
/** Where systemd keeps its groups: a hierarchy of its own in version 1, the only one in version 2. */
const groups = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].find((folder) => existsSync(`${folder}/cgroup.procs`));
/** A host has a fresh /sys, in which the control groups are mounted again. */
const mountGroups =
  groups === "/sys/fs/cgroup"
    ? "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    : `mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd`;

/** Why hosts with a real service manager cannot be had here; null when they can. */
export const whyNoServiceManager =
  whyNoNamespaces ??
  (existsSync(program) && groups !== undefined ? null : "needs systemd and its control groups (Debian has them)");

/** The account's own systemd on a test host, as a login on a machine with systemd would find it. */
export interface ServiceManager {
  /** Runs a command line as the account, with its manager in reach. */
  asAccount(command: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the account's systemd on a host.
 * @param enter arguments of `nsenter` that lead into the host
 */
export async function startServiceManager(enter: readonly string[], home: string): Promise<ServiceManager> {
  const group = `${groups ?? ""}/rbee-test-${process.pid}-${Date.now()}`;
  const runtime = `/run/user/${account.uid}`;
  const environment = `HOME='${home.replaceAll("'", `'\\''`)}' XDG_RUNTIME_DIR=${runtime} PATH=/usr/bin:/bin`;
  const asUser = `setpriv --reuid ${account.uid} --regid ${account.uid} --clear-groups env -i ${environment}`;
  const start = `set -e
${mountGroups}
mkdir -p /run/systemd/system ${runtime} ${group}
chown ${account.uid}:${account.uid} ${runtime}
chmod 700 ${runtime}
chown -R ${account.uid}:${account.uid} ${group}
echo $$ >${group}/cgroup.procs
exec ${asUser} ${program} --user --log-target=console`;
  const manager: ChildProcess = spawn("nsenter", [...enter, "/bin/sh", "-c", start], { stdio: "ignore" });
  const asAccount = (command: string) =>
    run("nsenter", [...enter, "/bin/sh", "-c", `exec ${asUser} /bin/sh -c "$1"`, "sh", command]);
  await waitFor("the account's systemd", () =>
    asAccount("systemctl --user is-system-running || :").then(
      (said) => /running|degraded/u.test(said),
      () => false,
    ),
  );
  return {
    asAccount,
    async stop() {
      await asAccount("systemctl --user exit").catch(() => "");
      if (manager.exitCode === null && manager.signalCode === null) manager.kill("SIGKILL");
      // The groups of its services lie inside; each goes when it is empty.
      await tryRun("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    },
  };
}
