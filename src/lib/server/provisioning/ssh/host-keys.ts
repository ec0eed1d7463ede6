import { readFileSync } from "node:fs";
import { appendFile, chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { RbeeError } from "@rbee/contract";
import { hostKeyChanged, hostKeyRevoked, hostKeyUnknown } from "./errors.ts";
import {
  fingerprintOf,
  knownHostLine,
  knownHostName,
  linesFor,
  parseKnownHosts,
  type KnownHost,
} from "./known-hosts.ts";
import type { SshTarget } from "./target.ts";

/** Where host keys that a person accepted in rbee are kept. */
export interface PinnedKeys {
  read(): Promise<readonly KnownHost[]>;
  /** Remembers a key under a name in the form of `known_hosts`. */
  add(name: string, key: Buffer): Promise<void>;
  /** Forgets every key under exactly this name; says whether there was one. */
  remove(name: string): Promise<boolean>;
}

/** The verification of host keys, shared by all connections. */
export interface HostKeys {
  /** Host key algorithms under which the host is known already, to be asked for first. */
  algorithms(target: SshTarget): Promise<string[]>;
  /**
   * Whether the host may be trusted: null when it may, else the error to fail with. A key whose fingerprint is in
   * `accepted` is pinned when nothing at all was known of the host; a changed key is never accepted this way.
   */
  verify(target: SshTarget, key: Buffer, accepted?: readonly string[]): Promise<RbeeError | null>;
  /** Pins the key that was refused as unknown last time, if it has this fingerprint; says whether it did. */
  accept(target: SshTarget, fingerprint: string): Promise<boolean>;
  /** Forgets the keys that were pinned for a host (after it was installed anew); says whether there were any. */
  forget(target: SshTarget): Promise<boolean>;
}

/** Keys held in memory only. */
export function pinnedKeysInMemory(): PinnedKeys {
  let text = "";
  return {
    read: async () => parseKnownHosts(text),
    async add(name, key) {
      text += knownHostLine(name, key);
    },
    async remove(name) {
      const left = withoutName(text, name);
      const removed = left !== text;
      text = left;
      return removed;
    },
  };
}

/** Keys in a file of the format of `known_hosts`, mode 0600, made with its folder (0700) when first needed. */
export function pinnedKeysInFile(path: string): PinnedKeys {
  const text = async () => readFile(path, "utf8").catch(missingIsEmpty);
  return {
    read: async () => parseKnownHosts(await text()),
    async add(name, key) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await appendFile(path, knownHostLine(name, key), { mode: 0o600 });
      await chmod(path, 0o600);
    },
    async remove(name) {
      const before = await text();
      const left = withoutName(before, name);
      if (left === before) return false;
      await writeFile(`${path}.new`, left, { mode: 0o600 });
      await rename(`${path}.new`, path);
      return true;
    },
  };
}

/** Verifies against the person's `known_hosts` files first, then against the keys pinned in rbee. */
export function createHostKeys(pinned: PinnedKeys): HostKeys {
  /** Keys that were shown to a person and wait for their word, by the host's name. */
  const refused = new Map<string, Buffer>();

  async function linesOf(target: SshTarget): Promise<KnownHost[]> {
    const known = target.knownHostsFiles.flatMap((path) => parseKnownHosts(readOr(path, "")));
    const all = [...known, ...(await pinned.read())];
    const lines = linesFor(all, nameOf(target));
    if (lines.length > 0 || target.port === 22) return lines;
    // As in ssh: a host on an odd port may be known by its plain name, but must then have that very key.
    return linesFor(all, nameOf({ ...target, port: 22 }));
  }

  return {
    async algorithms(target) {
      const types = (await linesOf(target)).filter((line) => line.marker === null).map((line) => line.keyType);
      return [...new Set(types)].flatMap((type) =>
        type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type],
      );
    },
    async verify(target, key, accepted = []) {
      const lines = await linesOf(target);
      const same = lines.filter((line) => line.key.equals(key));
      if (same.some((line) => line.marker === "revoked")) return hostKeyRevoked(target, key);
      if (same.length > 0) return null;
      const others = lines.filter((line) => line.marker === null).map((line) => line.key);
      if (others.length > 0) return hostKeyChanged(target, key, others);
      const name = nameOf(target);
      if (accepted.includes(fingerprintOf(key))) {
        await pinned.add(name, key);
        refused.delete(name);
        return null;
      }
      refused.set(name, key);
      return hostKeyUnknown(target, key);
    },
    async accept(target, fingerprint) {
      const name = nameOf(target);
      const key = refused.get(name);
      if (key === undefined || fingerprintOf(key) !== fingerprint) return false;
      refused.delete(name);
      await pinned.add(name, key);
      return true;
    },
    forget: async (target) => pinned.remove(nameOf(target)),
  };
}

function nameOf(target: SshTarget): string {
  return target.hostKeyAlias === null ? knownHostName(target.host, target.port) : target.hostKeyAlias.toLowerCase();
}

function withoutName(text: string, name: string): string {
  return text
    .split("\n")
    .filter((line) => line.split(" ")[0] !== name)
    .join("\n");
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return fallback;
  }
}

function missingIsEmpty(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
