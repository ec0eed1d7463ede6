import { readFile } from "node:fs/promises";
import { run } from "./run.ts";

export type KeyType = "ed25519" | "rsa" | "ecdsa";

/** A key pair in files, as `ssh-keygen` makes it. */
export interface KeyPair {
  readonly path: string;
  readonly publicKey: string;
}

/** Makes a key pair. A passphrase is set with few rounds, so that tests do not wait for it. */
export async function createKey(path: string, type: KeyType = "ed25519", passphrase = ""): Promise<KeyPair> {
  const size = type === "rsa" ? ["-b", "2048"] : [];
  await run("ssh-keygen", ["-q", "-t", type, ...size, "-a", "4", "-N", passphrase, "-C", "rbee-test", "-f", path]);
  return { path, publicKey: (await readFile(`${path}.pub`, "utf8")).trim() };
}

/** The fingerprint of a public key as ssh's own tools compute it. */
export async function fingerprint(publicKeyPath: string): Promise<string> {
  const line = await run("ssh-keygen", ["-l", "-f", publicKeyPath]);
  return line.split(" ")[1] ?? "";
}
