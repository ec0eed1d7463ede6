import { createCipheriv, createDecipheriv, hash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ivBytes = 12;
const tagBytes = 16;

/** SHA-256 in hex: how secrets with enough randomness of their own are stored. */
export function fingerprint(secret: string): string {
  return hash("sha256", secret, "hex");
}

/** `bytes` random bytes in base64url. */
export function randomSecret(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

/** Compares two secrets in a time that depends on neither. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer"));
}

/** Keeps secrets that the queen needs back in a form that the database alone does not give away. */
export interface Vault {
  seal(secret: string): Buffer;
  /** Throws when the sealed value was changed or another key made it. */
  open(sealed: Buffer): string;
}

/** AES-256-GCM; a sealed value is IV, tag, ciphertext. */
export function createVault(key: Buffer): Vault {
  return {
    seal(secret) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      const text = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), text]);
    },
    open(sealed) {
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, ivBytes));
      decipher.setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()]).toString("utf8");
    },
  };
}

/** Reads a secret file, or makes it with 0600; two processes that make it at once agree on one. */
function readOrCreate(file: string, make: () => string): string {
  try {
    writeFileSync(file, make(), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8").trim();
}

/** The vault of a queen's data folder; its key is `queen.key`, made when missing. */
export function openVault(home: string): Vault {
  const key = Buffer.from(
    readOrCreate(join(home, "queen.key"), () => randomBytes(32).toString("base64")),
    "base64",
  );
  if (key.length !== 32) throw new Error("queen.key does not hold a 256-bit key");
  return createVault(key);
}

/** The token in `<home>/local-token` that makes its reader the administrator on this machine; made when missing. */
export function localToken(home: string): string {
  return readOrCreate(join(home, "local-token"), () => `rbeelocal_${randomSecret()}`);
}
