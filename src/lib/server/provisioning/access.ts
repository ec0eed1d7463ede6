import { join } from "node:path";
import type { SshAccess } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import {
  createHostKeys,
  listSshHosts,
  pinnedKeysInFile,
  resolveTarget,
  SshPool,
  type ConnectOptions,
  type HostKeys,
  type SshConnection,
  type SshTarget,
} from "./ssh/index.ts";

export interface AccessOptions {
  /** The queen's data folder: accepted host keys are kept in its `known_hosts`. */
  readonly home: string;
  /** The setting `RBEE_SSH_CONFIG`. */
  readonly sshConfig: string | undefined;
  /** The setting `RBEE_NETWORK_DOMAIN`. */
  readonly networkDomain: string | undefined;
}

/** One machine for the length of an operation: a connection that was lost is opened again when it is next needed. */
export interface Machine {
  readonly target: SshTarget;
  /** Gives `work` a signed-in connection. @throws {RbeeError} what connecting and `work` throw. */
  use<T>(signal: AbortSignal, work: (connection: SshConnection) => Promise<T>): Promise<T>;
}

/** The way to every machine that the queen reaches over SSH: one set of accepted keys, one pool of connections. */
export interface MachineAccess {
  readonly hostKeys: HostKeys;
  /** How `ssh DESTINATION` would connect. @throws {RbeeError} `invalid_request`. */
  resolve(destination: string): Promise<SshTarget>;
  /** The hosts that the person's ssh config names. */
  hosts(): string[];
  /**
   * Gives `work` a signed-in connection, an open one where there is one. Connecting is the job's step `connect`; what
   * goes wrong there is one of `ssh_timeout`, `ssh_auth_failed`, `ssh_host_key_unknown`, `ssh_host_key_changed`,
   * `hive_unreachable`, `ssh_connection_lost`.
   * @param ssh used for this attempt only
   */
  withMachine<T>(
    destination: string,
    ssh: SshAccess | undefined,
    signal: AbortSignal,
    work: (connection: SshConnection) => Promise<T>,
  ): Promise<T>;
  /** The step `connect` alone; the machine can be used afterwards. @throws {RbeeError} as `withMachine` does. */
  connect(destination: string, ssh: SshAccess | undefined): Promise<Machine>;
  /** As `withMachine`, without telling of it: for putting things in order again, and for what is no job. */
  withMachineQuietly: MachineAccess["withMachine"];
  /** Closes every connection. */
  close(): Promise<void>;
}

/** Three attempts of 10 s each, for the machine and for one on the way to it. */
const connectLimitMs = 65_000;

export function createMachineAccess({ home, sshConfig, networkDomain }: AccessOptions): MachineAccess {
  const hostKeys = createHostKeys(pinnedKeysInFile(join(home, "known_hosts")));
  const pool = new SshPool();
  const resolving = { configPath: sshConfig, domain: networkDomain };
  const resolve = (destination: string) => resolveTarget(destination, resolving);

  const optionsFor = (ssh: SshAccess | undefined, signal: AbortSignal): ConnectOptions => ({
    hostKeys,
    signal,
    auth: { password: ssh?.password, passphrase: ssh?.passphrase },
    acceptedFingerprints: ssh?.accept_fingerprints ?? [],
  });

  const machineAt = (target: SshTarget, ssh: SshAccess | undefined): Machine => ({
    target,
    use: (signal, work) => pool.use(target, optionsFor(ssh, signal), work),
  });

  const connect: MachineAccess["connect"] = (destination, ssh) =>
    step(
      "connect",
      { timeoutMs: connectLimitMs, message: `Connecting to ${destination}`, timeoutCode: "ssh_timeout" },
      async (signal) => {
        const machine = machineAt(await resolve(destination), ssh);
        await machine.use(signal, async () => {});
        const { host, user, jumps } = machine.target;
        const way = jumps.map((jump) => ` through ${jump.name}`).join("");
        narrate({ action: "connected", message: `Signed in to ${host} as ${user}${way}.` });
        return machine;
      },
    );

  return {
    hostKeys,
    resolve,
    hosts: () => listSshHosts(resolving),
    connect,
    async withMachine(destination, ssh, signal, work) {
      return (await connect(destination, ssh)).use(signal, work);
    },
    async withMachineQuietly(destination, ssh, signal, work) {
      return machineAt(await resolve(destination), ssh).use(signal, work);
    },
    close: () => pool.close(),
  };
}
