import { isIP, isIPv6 } from "node:net";
import { RbeeError } from "@rbee/contract";

/** Where and as whom to connect, with everything the person's ssh settings say about that host. */
export interface SshTarget {
  /** The name a person knows the host by: an alias, a host name or an address. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absolute paths of private keys, in the order they are tried; files that do not exist are skipped later. */
  readonly identityFiles: readonly string[];
  /** Whether only `identityFiles` may be offered, even when the agent holds more keys. */
  readonly identitiesOnly: boolean;
  /** Path of the agent's socket; null for no agent. */
  readonly agentSocket: string | null;
  /** The name to look the host's key up by, when it is not the host's own. */
  readonly hostKeyAlias: string | null;
  /** Absolute paths of `known_hosts` files, the person's own first. */
  readonly knownHostsFiles: readonly string[];
  /** Hosts to go through, the nearest first. */
  readonly jumps: readonly SshTarget[];
}

/** A destination as a person writes it. */
export interface Destination {
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
}

const hostPattern = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})$/;
const addressWithZone = /^([0-9A-Fa-f:.]+)%[A-Za-z0-9_.-]+$/;
const userPattern = /^[A-Za-z0-9_](?:[A-Za-z0-9._@+-]{0,63})$/;

/**
 * Reads `alias`, `host`, `user@host`, `host:port`, `user@[address]:port`.
 * Anything that a shell or ssh itself could take for more than a name is refused.
 * @throws RbeeError `invalid_request` with param `target`
 */
export function parseDestination(text: string): Destination {
  const at = text.lastIndexOf("@");
  const user = at === -1 ? undefined : text.slice(0, at);
  const { host, port } = splitPort(text.slice(at + 1));
  if (user !== undefined && !userPattern.test(user)) throw refused(text, "its user name is not one");
  if (!isHostName(host)) throw refused(text, "its host name is not one");
  if (port === undefined) return { host, user, port };
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) throw refused(text, "its port is not one");
  return { host, user, port: Number(port) };
}

/** Whether this is a plain host name, alias or IP address, safe to hand to programs. */
export function isHostName(host: string): boolean {
  if (isIP(host) !== 0) return true;
  const zoned = addressWithZone.exec(host);
  if (zoned?.[1] !== undefined) return isIPv6(zoned[1]);
  return hostPattern.test(host);
}

/** `user@host` with the port where it is not 22: the way a target is named in messages and keys of maps. */
export function describeTarget(target: Pick<SshTarget, "user" | "host" | "port">): string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return `${target.user}@${host}${target.port === 22 ? "" : `:${target.port}`}`;
}

/** Tells targets apart that must not share a connection. */
export function targetKey(target: SshTarget): string {
  return [...target.jumps, target].map(describeTarget).join(" > ");
}

function splitPort(text: string): { host: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) return { host: bracketed[1] ?? "", port: bracketed[2] };
  const colon = text.indexOf(":");
  if (colon === -1 || isIPv6(text) || addressWithZone.test(text)) return { host: text, port: undefined };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function refused(text: string, why: string): RbeeError {
  return new RbeeError("invalid_request", `"${text.slice(0, 100)}" is not an SSH address: ${why}.`, {
    param: "target",
    suggestion: "Write an alias of your ssh config, a host name or an address, as in vince@192.168.1.20:22.",
  });
}
