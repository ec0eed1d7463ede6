import { eq, sql } from "drizzle-orm";
import type { CredentialMemory } from "#lib/server/accounts/index.ts";
import { tables, type Db } from "#lib/server/db/index.ts";
import { randomSecret, type Vault } from "#lib/server/secrets/index.ts";

const { parkingKeys, users } = tables;

export interface ParkingKeys {
  /** The secret of one person's parked conversations, made with the first request; null for nobody that is known. */
  of(userId: string): string | null;
}

export interface ParkingKeysOptions {
  readonly db: Db;
  readonly vault: Vault;
  /** Forgets with every change of people, so that a key is never remembered longer than its person. */
  readonly memory: CredentialMemory;
}

/** Each person has a random key of their own, which leaves with them. It is sent to hives and never shown to anybody. */
export function createParkingKeys({ db, vault, memory }: ParkingKeysOptions): ParkingKeys {
  // Asked with every conversation.
  const opened = memory.shelf<string>();
  const find = db
    .select({ sealedKey: parkingKeys.sealedKey })
    .from(parkingKeys)
    .where(eq(parkingKeys.userId, sql.placeholder("userId")))
    .prepare();
  const made = (userId: string) =>
    db.transaction((tx) => {
      const person = tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).get();
      if (person === undefined) return undefined;
      const key = randomSecret();
      tx.insert(parkingKeys)
        .values({ userId, sealedKey: vault.seal(key) })
        .run();
      return key;
    });
  const read = (userId: string) => {
    const known = find.get({ userId });
    return known === undefined ? made(userId) : vault.open(known.sealedKey);
  };
  return { of: (userId) => opened.recall(userId, () => read(userId)) ?? null };
}
