import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

const keyBytes = 32;

/** The secret of one user that their parked conversations are encrypted with. It cannot be printed by accident. */
export class ParkingKey {
  readonly #key: KeyObject;

  private constructor(secret: Buffer) {
    this.#key = createSecretKey(secret);
  }

  /** Reads a key as the queen sends it, 256 bits in base64url; null when it is none. */
  static from(text: string | undefined): ParkingKey | null {
    if (text === undefined || !/^[\w-]{43}$/u.test(text)) return null;
    const secret = Buffer.from(text, "base64url");
    return secret.length === keyBytes ? new ParkingKey(secret) : null;
  }

  equals(other: ParkingKey | null): boolean {
    return other !== null && this.#key.equals(other.#key);
  }

  /** How the names of this user's files begin that belong to `binding`: nobody else can tell whose they are. */
  namesFor(binding: Buffer): string {
    return createHmac("sha256", this.#key).update("rbee parked name\n").update(binding).digest("hex").slice(0, 32);
  }

  /** The key of one file. */
  fileKey(salt: Buffer): Buffer {
    return Buffer.from(hkdfSync("sha256", this.#key, salt, "rbee parked conversation", keyBytes));
  }
}
