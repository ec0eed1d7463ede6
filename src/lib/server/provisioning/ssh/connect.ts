import type { Duplex } from "node:stream";
import { RbeeError } from "@rbee/contract";
import { handleWhen, IterableBackoff, retry } from "cockatiel";
// By its default export, for Node cannot see the names in this CommonJS package.
import ssh2 from "ssh2";
import { planAuth, type Credentials } from "./auth.ts";
import { SshConnection } from "./connection.ts";
import {
  authFailed,
  connectFailed,
  connectTimeout,
  hostLabel,
  mayRetryConnect,
  type ConnectFailure,
} from "./errors.ts";
import type { HostKeys } from "./host-keys.ts";
import type { SshTarget } from "./target.ts";

export interface ConnectOptions {
  readonly hostKeys: HostKeys;
  /** Secrets for the target itself; the passphrase also opens keys for the hosts on the way. */
  readonly auth?: Credentials | undefined;
  /** Secrets for a host on the way there, by its name. */
  readonly authFor?: Readonly<Record<string, Credentials>> | undefined;
  /** Fingerprints (`SHA256:…`) that a person has accepted: an unknown key with one of them is pinned. */
  readonly acceptedFingerprints?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The time limit of each attempt, 10 s by default. */
  readonly limitMs?: number | undefined;
}

const defaultLimitMs = 10_000;
const keepAlive = { keepaliveInterval: 5_000, keepaliveCountMax: 3 };
/** Three attempts in all. Each gets the whole time limit. */
const retrying = retry(handleWhen(mayRetryConnect), { maxAttempts: 2, backoff: new IterableBackoff([200, 400]) });

/**
 * Connects and signs in, through every host on the way; each one's key is verified.
 * @throws RbeeError `ssh_timeout`, `hive_unreachable` (refused, no such name, no route), `ssh_connection_lost` (after
 *   three attempts); `ssh_auth_failed` with details `{host, needs, key?, wrong, offered}`, `ssh_host_key_unknown` with
 *   `{host, fingerprint, key_type}`, `ssh_host_key_changed` (at once); or the signal's reason
 */
export async function connect(target: SshTarget, options: ConnectOptions): Promise<SshConnection> {
  const { signal } = options;
  return retrying.execute(async () => {
    signal?.throwIfAborted();
    return connectThrough([...target.jumps, target], target, options);
  }, signal);
}

async function connectThrough(route: readonly SshTarget[], end: SshTarget, options: ConnectOptions) {
  let last: SshConnection | null = null;
  try {
    for (const hop of route) last = await connectOne(hop, hop === end, last, options);
  } catch (error) {
    last?.end();
    throw error;
  }
  if (last === null) throw new Error("a route has at least one host");
  return last;
}

async function connectOne(
  target: SshTarget,
  isEnd: boolean,
  before: SshConnection | null,
  options: ConnectOptions,
): Promise<SshConnection> {
  const { auth = {}, authFor = {}, limitMs = defaultLimitMs, signal } = options;
  const credentials = isEnd ? auth : { passphrase: auth.passphrase, ...authFor[target.name] };
  const plan = await planAuth(target, credentials);
  const algorithms = await options.hostKeys.algorithms(target);
  // From here to the listener below nothing waits, so that no abort is missed.
  signal?.throwIfAborted();
  const client = new ssh2.Client();
  const settled = Promise.withResolvers<SshConnection>();
  const fail = (error: unknown) => {
    settled.reject(error);
    client.destroy();
  };
  const timer = setTimeout(() => fail(connectTimeout(target, limitMs)), limitMs);
  const onAbort = () => fail(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });

  const verifyHost = (key: Buffer, verified: (valid: boolean) => void) => {
    options.hostKeys.verify(target, key, options.acceptedFingerprints).then(
      (error) => {
        if (error !== null) fail(error);
        else verified(true);
      },
      (error: unknown) => fail(error),
    );
  };
  client
    .on("error", (error: ConnectFailure) => {
      // An agent that does not answer is one way less to sign in, not the end.
      if (error.level === "agent") return;
      fail(error.level === "client-authentication" ? authFailed(target, plan.needs()) : connectFailed(target, error));
    })
    .once("close", () => fail(connectFailed(target, Object.assign(new Error("lost before handshake")))))
    .once("ready", () => settled.resolve(new SshConnection(target, client, before)));
  try {
    const sock = before === null ? undefined : await Promise.race([tunnel(before, target), nothing(settled.promise)]);
    client.connect({
      host: target.host,
      port: target.port,
      username: target.user,
      ...(sock === undefined ? {} : { sock }),
      authHandler: plan.handler,
      hostVerifier: verifyHost,
      readyTimeout: 0,
      ...keepAlive,
      ...(algorithms.length === 0 ? {} : { algorithms: { serverHostKey: preferring(algorithms) } }),
    });
    // Commands are many small packets: none should wait for the answer to the one before.
    client.setNoDelay(true);
    return await settled.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Only the failure of a promise: awaiting it beside other work cuts that work short. */
async function nothing(promise: Promise<unknown>): Promise<never> {
  await promise;
  throw new Error("connected before there was anything to connect to");
}

/** ssh2 moves nothing that is in its list already: taken out first, the algorithms come first. */
function preferring(algorithms: readonly string[]) {
  const supported = algorithms.filter((name) => supportedHostKeys.has(name));
  return { remove: supported, prepend: supported, append: [] } as { remove: never; prepend: never; append: never };
}
const supportedHostKeys = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
]);

async function tunnel(before: SshConnection, target: SshTarget): Promise<Duplex> {
  try {
    return await before.forward(target.host, target.port);
  } catch (error) {
    throw new RbeeError(
      "hive_unreachable",
      `${hostLabel(target)} cannot be reached from ${before.target.name}, the host on the way to it.`,
      {
        details: { host: target.name, address: `${target.host}:${target.port}`, through: before.target.name },
        suggestion: "Check that the machine is on, and that the host on the way allows TCP forwarding.",
        cause: error,
      },
    );
  }
}
