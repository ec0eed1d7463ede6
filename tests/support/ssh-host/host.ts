import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../folder.ts";
import { freePort } from "../process.ts";
import { waitFor } from "../wait-for.ts";
import { sshdPath } from "./available.ts";
import { account, writeAccounts, writeSshdConfig } from "./files.ts";
import { createKey, fingerprint, type KeyType } from "./keys.ts";
import type { NetworkPlace, TestNetwork } from "./network.ts";
import { allProcesses, commandOf, descendants } from "./processes.ts";
import { run, tryRun } from "./run.ts";

export interface SshHostOptions {
  /** Public keys that may sign in. */
  readonly authorizedKeys?: readonly string[];
  /** Lets the account sign in with this password (namespaces only). */
  readonly password?: string;
  /** Asks for the password as a question (PAM) rather than taking it outright. */
  readonly keyboardInteractive?: boolean;
  readonly maxSessions?: number;
  readonly hostKeys?: readonly KeyType[];
  /** The account's login shell (namespaces only). */
  readonly shell?: string;
  /** What `/bin/sh` is on this host (namespaces only). */
  readonly sh?: string;
  /** Absolute paths of programs this host does not have (namespaces only). */
  readonly without?: readonly string[];
  /** The home folder's name (namespaces only). */
  readonly homeName?: string;
}

/** A real sshd with an account to sign in to, on a host of its own where that can be had. */
export interface SshHost {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly home: string;
  /** `user@address:port`. */
  readonly destination: string;
  readonly folder: string;
  /** Its network place; null on loopback. */
  readonly network: NetworkPlace | null;
  /** Fingerprint of a host key. */
  fingerprint(type?: KeyType): Promise<string>;
  /** Replaces the host keys by new ones and restarts sshd. */
  changeHostKeys(types?: readonly KeyType[]): Promise<void>;
  authorize(publicKey: string): Promise<void>;
  /** Ends every sshd process that serves a connection, as a crash would; what they started lives on. */
  killSessions(): Promise<void>;
  /** Stops listening; connections stay. */
  stopListening(): Promise<void>;
  startListening(): Promise<void>;
  /** Arguments of `nsenter` that lead into the host; null on loopback. */
  readonly enter: readonly string[] | null;
  /** Runs a command on the host as root and gives its stdout (namespaces only). */
  asRoot(command: string): Promise<string>;
  /** Command lines of everything that runs there, sshd included (on loopback: on this machine). */
  processes(): string[];
  log(): Promise<string>;
  remove(): Promise<void>;
}

const initScript = fileURLToPath(new URL("init.sh", import.meta.url));

/** Starts a host. @param network where it gets an address of its own; null for sshd on a loopback port */
export async function startSshHost(network: TestNetwork | null, options: SshHostOptions = {}): Promise<SshHost> {
  const temporary = temporaryFolder("ssh-host");
  const folder = temporary.path;
  await chmod(folder, 0o755);
  const home = join(folder, options.homeName ?? "home");
  await mkdir(home, { mode: 0o755 });
  if (network !== null) await writeAccounts(folder, home, options);
  // Where sshd wants to be started by root, it keeps its unprivileged half in this folder.
  else if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  await writeFile(join(folder, "authorized_keys"), (options.authorizedKeys ?? []).map((key) => `${key}\n`).join(""));
  const makeHostKeys = async (types: readonly KeyType[]) => {
    for (const type of types) {
      const path = join(folder, `host_${type}`);
      await rm(path, { force: true });
      await rm(`${path}.pub`, { force: true });
      await createKey(path, type);
    }
  };
  await makeHostKeys(options.hostKeys ?? ["ed25519"]);
  const place = network === null ? null : await network.join("host");
  const address = place?.address ?? "127.0.0.1";
  const port = place === null ? await freePort() : 22;
  const config = await writeSshdConfig(folder, { address, port, home: place === null ? home : null }, options);
  const machine = place === null ? null : await boot(place, folder);
  const logPath = join(folder, "sshd.log");
  let listener: ChildProcess | null = null;

  async function startListening(types?: readonly KeyType[]): Promise<void> {
    if (types !== undefined) {
      const next = { ...options, hostKeys: types };
      await writeSshdConfig(folder, { address, port, home: place === null ? home : null }, next);
    }
    const sshd = [sshdPath ?? "sshd", "-D", "-f", config, "-E", logPath];
    const [program = "", ...args] = machine === null ? sshd : ["nsenter", ...machine.enter, ...sshd];
    listener = spawn(program, args, { stdio: "ignore", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } });
    await waitFor("sshd answering", () => answers(address, port));
  }
  /** The pid of the listening sshd itself, behind `nsenter` where there is one. */
  function listenerPid(): number | null {
    const pid = listener?.pid;
    if (pid === undefined || listener?.exitCode !== null) return null;
    return machine === null ? pid : (descendants(pid)[0] ?? null);
  }
  async function stopListening(): Promise<void> {
    const pid = listenerPid();
    const child = listener;
    if (pid === null || child === null) return;
    const exited = once(child, "exit");
    process.kill(pid, "SIGTERM");
    await exited;
    listener = null;
  }
  await startListening();

  return {
    address,
    port,
    user: place === null ? userInfo().username : account.name,
    home,
    destination: `${place === null ? userInfo().username : account.name}@${address}:${port}`,
    folder,
    network: place,
    enter: machine?.enter ?? null,
    fingerprint: async (type = "ed25519") => fingerprint(join(folder, `host_${type}.pub`)),
    async changeHostKeys(types = options.hostKeys ?? ["ed25519"]) {
      await stopListening();
      await makeHostKeys(types);
      await startListening(types);
    },
    authorize: async (publicKey) => appendFile(join(folder, "authorized_keys"), `${publicKey}\n`),
    async killSessions() {
      // Without a listener, its sessions belong to the host's first process.
      const pid = listenerPid() ?? machine?.pid;
      if (pid === undefined) return;
      for (const session of descendants(pid)) if (/^sshd: /.test(commandOf(session))) process.kill(session, "SIGKILL");
    },
    stopListening,
    startListening: async () => startListening(),
    async asRoot(command) {
      if (machine === null) throw new Error("a loopback host is the machine itself");
      return run("nsenter", [...machine.enter, "/bin/sh", "-c", command]);
    },
    // On loopback, what lost its parent is adopted by the machine itself.
    processes: () =>
      machine === null
        ? allProcesses().map(({ command }) => command)
        : [machine.pid, listener?.pid]
            .filter((pid) => pid !== undefined)
            .flatMap(descendants)
            .map(commandOf),
    log: async () => readFile(logPath, "utf8").catch(() => ""),
    async remove() {
      const sessions = listenerPid();
      for (const pid of sessions === null ? [] : [...descendants(sessions), sessions]) tryKill(pid);
      await machine?.stop();
      if (place !== null) await tryRun("ip", ["netns", "del", place.namespace]);
      temporary.remove();
    },
  };
}

interface Machine {
  readonly pid: number;
  /** Arguments of `nsenter`. */
  readonly enter: readonly string[];
  stop(): Promise<void>;
}

/** A process tree, a network and mounts of their own, kept by one process whose end is the end of everything there. */
async function boot(place: NetworkPlace, folder: string): Promise<Machine> {
  // The script is read from the host's own folder, so that the account which runs the tests need not own the checkout.
  const script = join(folder, "init.sh");
  await copyFile(initScript, script);
  const unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const child = spawn("ip", ["netns", "exec", place.namespace, ...unshare, "/bin/sh", script, folder], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, "exit");
  const [said] = (await Promise.race([once(child.stdout, "data"), exited.then(() => [""])])) as [Buffer | string];
  if (!said.toString().startsWith("ready")) throw new Error(`the test host did not start: ${errors}`);
  const keeper = child.pid;
  const pid = keeper === undefined ? undefined : descendants(keeper)[0];
  if (pid === undefined) throw new Error("the test host has no first process");
  return {
    pid,
    enter: ["--target", String(pid), "--mount", "--net", "--pid", "--"],
    async stop() {
      child.stdin.end();
      tryKill(pid);
      await exited;
    },
  };
}

async function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (result: boolean) => {
      socket.destroy();
      done(result);
    };
    socket.once("data", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => end(false));
  });
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
