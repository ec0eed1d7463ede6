import { join } from "node:path";
import {
  connect,
  createHostKeys,
  pinnedKeysInMemory,
  resolveTarget,
  type ConnectOptions,
  type HostKeys,
  type SshConnection,
  type SshTarget,
} from "../../../src/lib/server/provisioning/ssh/index.ts";
import { temporaryFolder } from "../folder.ts";
import { hostKind } from "./available.ts";
import { startSshHost, type SshHost, type SshHostOptions } from "./host.ts";
import { createKey, type KeyPair } from "./keys.ts";
import { createNetwork, type TestNetwork } from "./network.ts";

/** What one suite needs to play with real hosts; everything it makes is removed by `remove`. */
export interface SshSetting {
  /** A folder that stands for the person's home: nothing of the real one is read. */
  readonly home: string;
  /** A key without passphrase, at the usual place `~/.ssh/id_ed25519`; every host lets it in. */
  readonly key: KeyPair;
  readonly hostKeys: HostKeys;
  host(options?: SshHostOptions & { loopback?: boolean }): Promise<SshHost>;
  /** How to reach a host, as the person's settings have it. */
  target(host: SshHost): Promise<SshTarget>;
  /** Connects to a host and trusts its key; closed at the end. */
  connect(host: SshHost, options?: Partial<ConnectOptions>): Promise<SshConnection>;
  remove(): Promise<void>;
}

/** Makes a setting: a home folder, a key and, as root, a network. */
export async function sshSetting(): Promise<SshSetting> {
  const folder = temporaryFolder("ssh-home");
  const home = folder.path;
  const { mkdir } = await import("node:fs/promises");
  await mkdir(join(home, ".ssh"), { mode: 0o700 });
  const key = await createKey(join(home, ".ssh", "id_ed25519"));
  let network: TestNetwork | null = null;
  const hosts: SshHost[] = [];
  const connections: SshConnection[] = [];
  const hostKeys = createHostKeys(pinnedKeysInMemory());
  const target = async (host: SshHost) => resolveTarget(host.destination, { home, env: {} });
  return {
    home,
    key,
    hostKeys,
    async host({ loopback = false, ...options } = {}) {
      if (hostKind === "namespaces" && !loopback) network ??= await createNetwork();
      const host = await startSshHost(loopback ? null : network, { authorizedKeys: [key.publicKey], ...options });
      hosts.push(host);
      return host;
    },
    target,
    async connect(host, options = {}) {
      const acceptedFingerprints = [await host.fingerprint()];
      const connection = await connect(await target(host), { hostKeys, acceptedFingerprints, ...options });
      connections.push(connection);
      return connection;
    },
    async remove() {
      for (const connection of connections) connection.end();
      for (const host of hosts) await host.remove();
      await network?.remove();
      folder.remove();
    },
  };
}
