import { errorCatalogue, RbeeError } from "@rbee/contract";
import { fingerprintOf, keyTypeOf } from "./known-hosts.ts";
import { describeTarget, type SshTarget } from "./target.ts";

/** What ssh2 and the socket under it put on their errors. */
export interface ConnectFailure extends Error {
  readonly level?: string;
  readonly code?: string | number;
}

/** How a host is called in messages: by the name a person gave it, with the address where that says more. */
export function hostLabel(target: SshTarget): string {
  return target.name === target.host ? describeTarget(target) : `${target.name} (${describeTarget(target)})`;
}

const place = (target: SshTarget) => ({
  host: target.name,
  address: `${target.host}:${target.port}`,
  user: target.user,
});

/** `ssh_host_key_unknown`: nothing is known of this host yet. */
export function hostKeyUnknown(target: SshTarget, key: Buffer): RbeeError {
  const fingerprint = fingerprintOf(key);
  return new RbeeError(
    "ssh_host_key_unknown",
    `The SSH key of ${hostLabel(target)} is not known yet: ${fingerprint}.`,
    {
      details: { ...place(target), fingerprint, key_type: keyTypeOf(key) },
      suggestion: "Compare the fingerprint with the one the machine itself shows, and accept it if they are the same.",
    },
  );
}

/** `ssh_host_key_changed`: the host is known under other keys than the one it shows. */
export function hostKeyChanged(target: SshTarget, key: Buffer, known: readonly Buffer[]): RbeeError {
  const fingerprint = fingerprintOf(key);
  const sameType = known.find((other) => keyTypeOf(other) === keyTypeOf(key)) ?? known[0];
  const expected = sameType === undefined ? null : fingerprintOf(sameType);
  return new RbeeError(
    "ssh_host_key_changed",
    `WARNING: the SSH key of ${hostLabel(target)} has changed from ${expected} to ${fingerprint}. ` +
      "Somebody may be posing as this machine, so nothing was sent to it.",
    {
      details: {
        ...place(target),
        fingerprint,
        key_type: keyTypeOf(key),
        known_fingerprint: expected,
        known_fingerprints: known.map(fingerprintOf),
      },
      suggestion:
        "If the machine was installed anew, remove its old key (`ssh-keygen -R`, or forget it in rbee) and try again.",
    },
  );
}

/** `ssh_host_key_changed`: the key the host shows has been withdrawn. */
export function hostKeyRevoked(target: SshTarget, key: Buffer): RbeeError {
  const fingerprint = fingerprintOf(key);
  return new RbeeError(
    "ssh_host_key_changed",
    `WARNING: the SSH key ${fingerprint} of ${hostLabel(target)} is marked as revoked, so nothing was sent to it.`,
    {
      details: { ...place(target), fingerprint, key_type: keyTypeOf(key), revoked: true },
      suggestion: "Give the machine a new host key, or remove the @revoked line from known_hosts.",
    },
  );
}

/** What a person must give so that the next attempt may succeed. */
export interface AuthNeeds {
  readonly needs: "passphrase" | "password" | "key";
  /** The private key that needs its passphrase. */
  readonly key?: string | undefined;
  /** Whether a secret was given and did not fit. */
  readonly wrong: boolean;
  /** The ways of signing in that the host offers. */
  readonly offered: readonly string[];
}

/** `ssh_auth_failed`: the host is right, but does not let us in. */
export function authFailed(target: SshTarget, auth: AuthNeeds): RbeeError {
  const [message, suggestion] = authSentences(target, auth);
  return new RbeeError("ssh_auth_failed", message, {
    details: {
      ...place(target),
      needs: auth.needs,
      ...(auth.key === undefined ? {} : { key: auth.key }),
      wrong: auth.wrong,
      offered: auth.offered,
    },
    suggestion,
  });
}

function authSentences(target: SshTarget, { needs, key, wrong }: AuthNeeds): [string, string] {
  const host = hostLabel(target);
  if (needs === "passphrase")
    return wrong
      ? [`The passphrase does not open the key ${key} for ${host}.`, "Type the passphrase of that key again."]
      : [`The key ${key} for ${host} is locked by a passphrase.`, "Type its passphrase, or add the key to your agent."];
  if (needs === "password")
    return wrong
      ? [`${host} refused the password.`, "Check the user name and type the password again."]
      : [`${host} accepted none of your keys.`, "Type the password, or copy a key there with `ssh-copy-id`."];
  return [
    `${host} accepted none of your keys${wrong ? " and no password either" : ""}.`,
    "Check the user name, and add your public key to ~/.ssh/authorized_keys on that machine.",
  ];
}

/** `ssh_timeout`: the host stayed silent. */
export function connectTimeout(target: SshTarget, limitMs: number): RbeeError {
  return new RbeeError("ssh_timeout", `${hostLabel(target)} did not answer within ${limitMs / 1000} s.`, {
    details: { ...place(target), limit_ms: limitMs },
    suggestion: "Check that the machine is on, that the address is right and that no firewall blocks the port.",
  });
}

/** `ssh_connection_lost`: there was a connection, and it ended without being asked to. */
export function connectionLost(target: SshTarget, during: string, cause?: unknown): RbeeError {
  return new RbeeError("ssh_connection_lost", `The SSH connection to ${hostLabel(target)} was lost ${during}.`, {
    details: { ...place(target), during },
    suggestion: "Check that the machine and its sshd still run, then try again.",
    cause,
  });
}

/** Turns a failure to connect into one of the catalogue; what is one already stays as it is. */
export function connectFailed(target: SshTarget, error: ConnectFailure): RbeeError {
  if (error instanceof RbeeError) return error;
  const unreachable = (why: string, suggestion: string) =>
    new RbeeError("hive_unreachable", `${hostLabel(target)} cannot be reached over SSH: ${why}.`, {
      details: { ...place(target), reason: String(error.code ?? error.level ?? "unknown") },
      suggestion,
      cause: error,
    });
  switch (error.code) {
    case "ECONNREFUSED":
      return unreachable(`it refuses connections on port ${target.port}`, "Check that sshd runs there, on that port.");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return unreachable(`no address is known for the name ${target.host}`, "Check the name, or use the IP address.");
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return unreachable("no way leads to its address", "Check that the machine is on and in the same network.");
    case "ETIMEDOUT":
      return new RbeeError("ssh_timeout", `${hostLabel(target)} did not answer.`, {
        details: place(target),
        suggestion: "Check that the machine is on and that no firewall blocks the port.",
        cause: error,
      });
  }
  if (error.level === "client-socket" || /lost before handshake/i.test(error.message))
    return connectionLost(target, "before it was set up", error);
  if (error.level === "handshake")
    return unreachable("it offers no encryption that rbee knows", "Update the SSH server of that machine.");
  if (error.level === "protocol") return unreachable("what answers there does not speak SSH", "Check the port.");
  return connectionLost(target, "while it was set up", error);
}

/** Whether another attempt to connect may help. */
export function mayRetryConnect(error: unknown): boolean {
  return error instanceof RbeeError && errorCatalogue[error.code].retry === "connect";
}

/** How a command on a host ended. */
export interface CommandEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines of stderr, or of stdout where stderr is empty. */
  readonly lastLines: readonly string[];
}

/** `ssh_command_failed`: a command ran and failed; `name` is the step or command as a person knows it. */
export function commandFailed(target: SshTarget, name: string, end: CommandEnd, suggestion?: string): RbeeError {
  const how =
    end.signal === null
      ? end.exitCode === null
        ? "ended without a result"
        : `failed with exit code ${end.exitCode}`
      : `was ended by the signal ${end.signal}`;
  const last = end.lastLines.at(-1);
  return new RbeeError(
    "ssh_command_failed",
    `"${name}" ${how} on ${hostLabel(target)}${last === undefined ? "" : `: ${last}`}`,
    {
      details: {
        ...place(target),
        step: name,
        exit_code: end.exitCode,
        signal: end.signal,
        last_lines: end.lastLines,
      },
      suggestion: suggestion ?? suggestionFor(end),
    },
  );
}

/** `ssh_timeout`: a command ran longer than it may and was stopped. */
export function commandTimeout(target: SshTarget, name: string, limitMs: number, stopped: boolean): RbeeError {
  const after = stopped ? "and was stopped" : "and could not be stopped, since the machine does not answer";
  return new RbeeError(
    "ssh_timeout",
    `"${name}" took longer than ${limitMs / 1000} s on ${hostLabel(target)} ${after}.`,
    {
      details: { ...place(target), step: name, limit_ms: limitMs, stopped },
      suggestion: "Check how busy the machine is, then try again.",
    },
  );
}

/** `insufficient_disk`: there is no room left for a file. */
export function diskFull(target: SshTarget, path: string, needMb: number, haveMb: number | null): RbeeError {
  const have = haveMb === null ? "the disk is full" : `${haveMb} MB are free and ${needMb} MB are needed`;
  return new RbeeError("insufficient_disk", `There is no room for ${path} on ${hostLabel(target)}: ${have}.`, {
    details: { ...place(target), path, need_mb: needMb, have_mb: haveMb },
    suggestion: "Make room on that disk, or put rbee's data on another one.",
  });
}

function suggestionFor(end: CommandEnd): string {
  const text = end.lastLines.join("\n");
  if (/no space left/i.test(text)) return "Make room on the disk of that machine and try again.";
  if (/permission denied|operation not permitted|read-only file system/i.test(text))
    return "Check who owns the folder named above on that machine.";
  if (end.exitCode === 127 || /not found/i.test(text)) return "Install the program that is missing on that machine.";
  if (end.signal === "KILL") return "The machine may have run out of memory; check its system log.";
  return "The last lines above are the command's own words; mend what they name and try again.";
}
