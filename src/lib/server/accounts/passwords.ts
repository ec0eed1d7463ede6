import { hash, verify } from "@node-rs/argon2";

let decoy: Promise<string> | undefined;

/** argon2id with the library's parameters, which are OWASP's recommendation (19 MiB, 2 passes). */
export function hashPassword(password: string): Promise<string> {
  return hash(password.normalize("NFKC"));
}

/**
 * Whether a password is right. With no stored hash it works as long as with one and answers false, so that the time
 * of an answer does not tell which names exist.
 */
export async function verifyPassword(stored: string | undefined, password: string): Promise<boolean> {
  decoy ??= hashPassword("no account has this password");
  const right = await verify(stored ?? (await decoy), password.normalize("NFKC"));
  return stored !== undefined && right;
}
