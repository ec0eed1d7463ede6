import { eq, sql } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import { randomSecret, type Vault } from "#lib/server/secrets/index.ts";

const { parkingKeys, users } = tables;

export interface ParkingKeys {
  /** The secret of one person's parked conversations, made with the first request; null for nobody that is known. */
  of(userId: string): string | null;
}

/** Each person has a random key of their own, which leaves with them. It is sent to hives and never shown to anybody. */
export function createParkingKeys({ db, vault }: { db: Db; vault: Vault }): ParkingKeys {
  // Asked with every conversation.
  const find = db
    .select({ sealedKey: parkingKeys.sealedKey })
    .from(parkingKeys)
    .where(eq(parkingKeys.userId, sql.placeholder("userId")))
    .prepare();
  return {
    of(userId) {
      const known = find.get({ userId });
      if (known !== undefined) return vault.open(known.sealedKey);
      return db.transaction((tx) => {
        const person = tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).get();
        if (person === undefined) return null;
        const key = randomSecret();
        tx.insert(parkingKeys)
          .values({ userId, sealedKey: vault.seal(key) })
          .run();
        return key;
      });
    },
  };
}
