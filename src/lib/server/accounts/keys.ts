import { randomUUID } from "node:crypto";
import { RbeeError, type ApiKey, type Lane, type User } from "@rbee/contract";
import { and, desc, eq, sql } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import { fingerprint, randomSecret } from "#lib/server/secrets/index.ts";
import type { CredentialMemory } from "./credential-memory.ts";
import { toUser } from "./people.ts";
import type { Presence } from "./presence.ts";
import type { Accounts } from "./types.ts";

const { apiKeys, users } = tables;

export const keyStart = "rbee_";

export interface Keys {
  readonly api: Accounts["keys"];
  /** Whose key this is; null when it is unknown, revoked or expired. */
  check(key: string): { user: User; keyId: string; lane: Lane | null } | null;
  nameOf(keyId: string): string | null;
}

interface Checked {
  readonly user: User;
  readonly keyId: string;
  readonly expiresAt: number | null;
  readonly lane: Lane | null;
}

export function createKeys(db: Db, presence: Presence, memory: CredentialMemory, now: () => number): Keys {
  const toKey = (row: typeof apiKeys.$inferSelect, owner: string): ApiKey => ({
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    owner,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    last_used_at: row.lastUsedAt,
    lane: row.lane,
  });
  const byHash = db
    .select({ key: apiKeys, user: users })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(eq(apiKeys.keyHash, sql.placeholder("hash")))
    .prepare();
  const nameById = db
    .select({ name: apiKeys.name })
    .from(apiKeys)
    .where(eq(apiKeys.id, sql.placeholder("id")))
    .prepare();

  const checked = memory.shelf<Checked>();
  const names = memory.shelf<string>();

  return {
    api: {
      list({ user }) {
        presence.flush();
        return db
          .select({ key: apiKeys, owner: users.name })
          .from(apiKeys)
          .innerJoin(users, eq(users.id, apiKeys.userId))
          .where(user.role === "admin" ? undefined : eq(apiKeys.userId, user.id))
          .orderBy(desc(apiKeys.createdAt))
          .all()
          .map(({ key, owner }) => toKey(key, owner));
      },
      create({ user }, input) {
        const key = `${keyStart}${randomSecret()}`;
        const row = {
          id: randomUUID(),
          userId: user.id,
          name: input.name,
          keyHash: fingerprint(key),
          prefix: key.slice(0, keyStart.length + 4),
          createdAt: now(),
          expiresAt: input.expires_in_s === undefined ? null : now() + input.expires_in_s * 1000,
          lastUsedAt: null,
          lane: input.lane ?? null,
        };
        db.insert(apiKeys).values(row).run();
        return { ...toKey(row, user.name), key };
      },
      revoke({ user }, id) {
        const mine = user.role === "admin" ? undefined : eq(apiKeys.userId, user.id);
        const { changes } = db
          .delete(apiKeys)
          .where(and(eq(apiKeys.id, id), mine))
          .run();
        memory.forget();
        if (changes === 0) throw new RbeeError("not_found", "There is no such API key.");
      },
    },
    check(key) {
      const hash = fingerprint(key);
      const found = checked.recall(hash, () => {
        const row = byHash.get({ hash });
        if (row === undefined) return undefined;
        const { id: keyId, expiresAt, lane } = row.key;
        return { user: toUser(row.user), keyId, expiresAt, lane };
      });
      if (found === undefined || (found.expiresAt !== null && found.expiresAt <= now())) return null;
      presence.key(found.keyId);
      presence.user(found.user.id);
      return { user: found.user, keyId: found.keyId, lane: found.lane };
    },
    nameOf: (keyId) => names.recall(keyId, () => nameById.get({ id: keyId })?.name) ?? null,
  };
}
