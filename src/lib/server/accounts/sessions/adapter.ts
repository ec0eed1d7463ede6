import { eq, lte, sql } from "drizzle-orm";
import type { Adapter, DatabaseSession } from "lucia";
import { tables, type Db } from "#lib/server/db/index.ts";
import { fingerprint } from "#lib/server/secrets/index.ts";

const { sessions, users } = tables;

export interface SessionAttributes {
  handle: string;
  userAgent: string | null;
  address: string | null;
  createdAt: number;
}

/**
 * lucia's storage over drizzle. The id that the browser holds is stored as SHA-256 only: who reads the database
 * cannot sign in with it.
 */
export function sessionAdapter(db: Db): Adapter {
  const attributesOf = (row: typeof sessions.$inferSelect): SessionAttributes => ({
    handle: row.handle,
    userAgent: row.userAgent,
    address: row.address,
    createdAt: row.createdAt,
  });
  const byHash = db
    .select({ session: sessions, user: users })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.idHash, sql.placeholder("hash")))
    .prepare();
  return {
    async getSessionAndUser(sessionId) {
      const row = byHash.get({ hash: fingerprint(sessionId) });
      if (row === undefined) return [null, null];
      const session: DatabaseSession = {
        id: sessionId,
        userId: row.session.userId,
        expiresAt: new Date(row.session.expiresAt),
        attributes: attributesOf(row.session),
      };
      return [session, { id: row.user.id, attributes: row.user }];
    },
    // lucia would get hashes where it expects secrets; sessions are listed by our own query instead.
    getUserSessions: () => Promise.resolve([]),
    async setSession(session) {
      const attributes = session.attributes as SessionAttributes;
      db.insert(sessions)
        .values({
          ...attributes,
          idHash: fingerprint(session.id),
          userId: session.userId,
          lastSeenAt: attributes.createdAt,
          expiresAt: session.expiresAt.getTime(),
        })
        .run();
    },
    async updateSessionExpiration(sessionId, expiresAt) {
      db.update(sessions)
        .set({ expiresAt: expiresAt.getTime() })
        .where(eq(sessions.idHash, fingerprint(sessionId)))
        .run();
    },
    async deleteSession(sessionId) {
      db.delete(sessions)
        .where(eq(sessions.idHash, fingerprint(sessionId)))
        .run();
    },
    async deleteUserSessions(userId) {
      db.delete(sessions).where(eq(sessions.userId, userId)).run();
    },
    async deleteExpiredSessions() {
      db.delete(sessions).where(lte(sessions.expiresAt, Date.now())).run();
    },
  };
}
