import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { matchesPatterns } from "./ssh-config-file.ts";

/** One usable line of a `known_hosts` file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
export interface KnownHost {
  readonly marker: "revoked" | null;
  /** Host patterns, or one hashed name `|1|salt|hash`. */
  readonly names: readonly string[];
  readonly keyType: string;
  /** The public key as it goes over the wire. */
  readonly key: Buffer;
}

/** Reads a `known_hosts` file; comments, certificate authorities and lines that make no sense are left out. */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split("\n").flatMap((line): KnownHost[] => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
    const [names, keyType, base64] = words;
    if (names === undefined || names.startsWith("#") || keyType === undefined || base64 === undefined) return [];
    if (marker !== undefined && marker !== "@revoked") return [];
    const key = Buffer.from(base64, "base64");
    if (keyTypeOf(key) !== keyType) return [];
    return [{ marker: marker === undefined ? null : "revoked", names: names.split(","), keyType, key }];
  });
}

/** The lines of `known` that speak of `name`, which is a host name or `[host]:port`. */
export function linesFor(known: readonly KnownHost[], name: string): KnownHost[] {
  return known.filter(({ names }) => {
    const [first] = names;
    return first?.startsWith("|1|") ? isHashOf(first, name) : matchesPatterns(names, name);
  });
}

/** How a host is named in `known_hosts`: without the port when it is 22. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** One line of a `known_hosts` file. */
export function knownHostLine(name: string, key: Buffer): string {
  return `${name} ${keyTypeOf(key)} ${key.toString("base64")}\n`;
}

/** The fingerprint that `ssh` shows people: `SHA256:` and the digest in base64 without padding. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** The type a public key says it is of, such as `ssh-ed25519`; empty when it is no key. */
export function keyTypeOf(key: Buffer): string {
  if (key.length < 4) return "";
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? "" : key.toString("latin1", 4, 4 + length);
}

/** Names are hashed in lower case, with a salt of their own. */
function isHashOf(hashed: string, name: string): boolean {
  const [, , salt, hash] = hashed.split("|");
  if (salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
