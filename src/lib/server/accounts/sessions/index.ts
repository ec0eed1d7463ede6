import { RbeeError, type User } from "@rbee/contract";
import { and, desc, eq, gt } from "drizzle-orm";
import { Lucia, TimeSpan } from "lucia";
import { tables, type Db } from "#lib/server/db/index.ts";
import { randomSecret } from "#lib/server/secrets/index.ts";
import { toUser, type UserRow } from "../people.ts";
import type { Presence } from "../presence.ts";
import type { Accounts, ClientInfo, SessionCookie, SignedIn } from "../types.ts";
import { sessionAdapter, type SessionAttributes } from "./adapter.ts";

const { sessions } = tables;

export const sessionCookieName = "rbee_session";

/** What a session cookie proves. */
export interface ValidSession {
  readonly user: User;
  readonly handle: string;
  /** To be sent when the session's life was just extended. */
  readonly renewed: SessionCookie | null;
}

export interface Sessions {
  readonly api: Accounts["sessions"];
  open(user: User, client: ClientInfo): Promise<SignedIn>;
  validate(secret: string): Promise<ValidSession | null>;
  close(handle: string): void;
  deleteExpired(): Promise<void>;
}

/** Browser sessions of 30 days, extended while they are used. */
export function createSessions(db: Db, presence: Presence, now: () => number): Sessions {
  const lucia = new Lucia(sessionAdapter(db), {
    sessionExpiresIn: new TimeSpan(30, "d"),
    sessionCookie: { name: sessionCookieName },
    getSessionAttributes: (attributes) => ({ handle: (attributes as SessionAttributes).handle }),
    getUserAttributes: (attributes) => ({ account: toUser(attributes as UserRow) }),
  });
  const cookie = (secret: string, expires: Date): SessionCookie => ({
    name: sessionCookieName,
    value: secret,
    attributes: { path: "/", httpOnly: true, sameSite: "lax", expires },
  });

  return {
    api: {
      list(person) {
        presence.flush();
        return db
          .select()
          .from(sessions)
          .where(and(eq(sessions.userId, person.user.id), gt(sessions.expiresAt, now())))
          .orderBy(desc(sessions.lastSeenAt))
          .all()
          .map((row) => ({
            id: row.handle,
            current: row.handle === person.sessionId,
            user_agent: row.userAgent,
            address: row.address,
            created_at: row.createdAt,
            last_seen_at: row.lastSeenAt,
            expires_at: row.expiresAt,
          }));
      },
      revoke(person, id) {
        const { changes } = db
          .delete(sessions)
          .where(and(eq(sessions.handle, id), eq(sessions.userId, person.user.id)))
          .run();
        if (changes === 0) throw new RbeeError("not_found", "You have no such session.");
      },
    },
    async open(user, client) {
      const secret = randomSecret();
      const attributes: SessionAttributes = {
        handle: randomSecret(12),
        userAgent: client.userAgent?.slice(0, 300) ?? null,
        address: client.address,
        createdAt: now(),
      };
      const session = await lucia.createSession(user.id, attributes, { sessionId: secret });
      return { user, cookie: cookie(secret, session.expiresAt) };
    },
    async validate(secret) {
      const { session, user } = await lucia.validateSession(secret);
      if (session === null) return null;
      const { handle } = session as typeof session & { handle: string };
      const { account } = user as typeof user & { account: User };
      presence.session(handle);
      presence.user(account.id);
      return { user: account, handle, renewed: session.fresh ? cookie(secret, session.expiresAt) : null };
    },
    close(handle) {
      db.delete(sessions).where(eq(sessions.handle, handle)).run();
    },
    deleteExpired: () => lucia.deleteExpiredSessions(),
  };
}
