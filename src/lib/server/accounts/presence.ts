import { eq } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";

const { apiKeys, sessions, users } = tables;

/** When people, keys and sessions were last seen: collected in memory, so that a request costs no write. */
export interface Presence {
  user(id: string): void;
  key(id: string): void;
  session(handle: string): void;
  /** Writes what was collected; called every few seconds, before lists, and when the queen stops. */
  flush(): void;
}

/** `written` is called after each write. */
export function createPresence(db: Db, now: () => number, written: () => void): Presence {
  const seen = {
    users: new Map<string, number>(),
    keys: new Map<string, number>(),
    sessions: new Map<string, number>(),
  };
  return {
    user: (id) => void seen.users.set(id, now()),
    key: (id) => void seen.keys.set(id, now()),
    session: (handle) => void seen.sessions.set(handle, now()),
    flush() {
      if (seen.users.size + seen.keys.size + seen.sessions.size === 0) return;
      db.transaction((tx) => {
        for (const [id, lastSeenAt] of seen.users) tx.update(users).set({ lastSeenAt }).where(eq(users.id, id)).run();
        for (const [id, lastUsedAt] of seen.keys)
          tx.update(apiKeys).set({ lastUsedAt }).where(eq(apiKeys.id, id)).run();
        for (const [handle, lastSeenAt] of seen.sessions)
          tx.update(sessions).set({ lastSeenAt }).where(eq(sessions.handle, handle)).run();
      });
      for (const map of Object.values(seen)) map.clear();
      written();
    },
  };
}
