import { chmodSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { expectCommandFault, expectFault, expectJobFault, failureOf, type Fault } from "../../support/fault.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { tenTimesAsFast } from "../../support/process.ts";
import { whyNoNamespaces, whySkipped } from "../../support/ssh-host/available.ts";
import { createKey } from "../../support/ssh-host/keys.ts";

const skipped = whySkipped === null ? "" : ` (skipped: ${whySkipped})`;

describe.skipIf(whySkipped !== null)(`a machine that cannot be reached over SSH${skipped}`, { timeout: 60_000 }, () => {
  let place: Installing;
  /** Takes every connection and never says a word. */
  let silent: Server;
  const connections = new Set<Socket>();

  beforeAll(async () => {
    // Ten times as fast: what waits ten seconds three times waits one.
    place = await startInstalling({ env: tenTimesAsFast });
    silent = createServer((socket) => {
      connections.add(socket);
      socket.on("error", () => {});
    }).listen(0, "127.0.0.1");
    await once(silent, "listening");
  });
  afterAll(async () => {
    for (const socket of connections) socket.destroy();
    silent.close();
    await place.stop();
  });

  /** Told alike by the API, whose status is 503, and by the command line, whose exit code is 1. */
  async function cannotAdd(target: string, fault: Fault): Promise<void> {
    const thrown = await failureOf(place.household.admin.addBeehive({ body: { target }, timeoutMs: 30_000 }));
    expectFault(thrown, fault);
    await expectCommandFault(place.household, ["hive", "add", target], fault);
    await expectJobFault(place.household, ["hive", "install", target], fault);
  }

  it("ssh_timeout: when it takes the connection and says nothing", async () => {
    const { port } = silent.address() as AddressInfo;
    place.configure("mute", ["HostName 127.0.0.1", `Port ${port}`, "User vince"]);
    await cannotAdd("mute", {
      code: "ssh_timeout",
      message: /mute.*(10 s|in time)/u,
      suggestion: /machine is on|Check/u,
      details: { host: "mute" },
    });
  });

  it("hive_unreachable: when nothing listens there", async () => {
    const nothing = createServer().listen(0, "127.0.0.1");
    await once(nothing, "listening");
    const { port } = nothing.address() as AddressInfo;
    nothing.close();
    place.configure("closed", ["HostName 127.0.0.1", `Port ${port}`, "User vince"]);
    await cannotAdd("closed", {
      code: "hive_unreachable",
      message: /closed .*refuses connections/u,
      suggestion: /sshd|SSH/iu,
    });
  });

  it("ssh_auth_failed: when it does not let the key in", async () => {
    const other = await createKey(join(place.ssh.home, "other"));
    await place.machine("locked", { authorizedKeys: [other.publicKey] });
    await cannotAdd("locked", {
      code: "ssh_auth_failed",
      message: /locked/u,
      suggestion: /authorized_keys|password/u,
      details: { host: "locked", needs: "key" },
    });
  });

  it("ssh_host_key_unknown: when nobody has accepted its key", async () => {
    const host = await place.machine("stranger", { known: false });
    await cannotAdd("stranger", {
      code: "ssh_host_key_unknown",
      message: /stranger/u,
      suggestion: /accept/iu,
      details: { host: "stranger", fingerprint: await host.fingerprint() },
    });
  });

  it("ssh_host_key_changed: when its key is another one than before", async () => {
    const host = await place.machine("impostor");
    await host.changeHostKeys();
    await cannotAdd("impostor", {
      code: "ssh_host_key_changed",
      message: /impostor/u,
      suggestion: /ssh-keygen -R|remove the old/iu,
      details: { host: "impostor", fingerprint: await host.fingerprint() },
    });
  });

  it.skipIf(whyNoNamespaces !== null)("ssh_command_failed: when what it is told to do fails", async () => {
    const host = await place.machine("unbuilt");
    writeFileSync(join(host.home, ".gitconfig"), "[safe]\n\tdirectory = *\n");
    const repo = join(host.home, "no-repository");
    await expectJobFault(
      place.household,
      ["hive", "install", "unbuilt", "--method", "git", "--repo", repo, "--branch", "main"],
      {
        code: "ssh_command_failed",
        message: /building on hive:unbuilt|unbuilt/u,
        suggestion: /\w{3}/u,
        details: { host: "unbuilt" },
      },
    );
  });

  it.skipIf(whyNoNamespaces !== null)("ssh_connection_lost: when its sshd dies at the first command", async () => {
    const folder = temporaryFolder("deadly-shell");
    chmodSync(folder.path, 0o755);
    const shell = join(folder.path, "sh");
    writeFileSync(shell, "#!/bin/bash\nkill -9 $PPID\nsleep 5\n");
    chmodSync(shell, 0o755);
    await place.machine("fragile", { sh: shell });
    await expectJobFault(place.household, ["hive", "install", "fragile"], {
      code: "ssh_connection_lost",
      message: /fragile/u,
      suggestion: /network|again/u,
      details: { host: "fragile" },
    });
    folder.remove();
  });
});
