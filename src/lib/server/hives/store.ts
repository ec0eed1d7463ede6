import type { Capabilities, EnrolmentKind } from "@rbee/contract";
import { eq } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import type { Vault } from "#lib/server/secrets/index.ts";

const { hives, models } = tables;

/** A hive as it outlives the queen's process, its token opened. */
export interface StoredHive {
  readonly hiveId: string;
  readonly name: string;
  readonly enrolment: EnrolmentKind;
  readonly token: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly version: string | null;
  readonly capabilities: Capabilities | null;
  readonly createdAt: number;
  readonly lastSeenAt: number | null;
}

export interface HiveStore {
  load(): StoredHive[];
  /** Adds a hive, or overwrites everything but its capabilities. */
  save(hive: StoredHive): void;
  setContact(hiveId: string, contact: { host: string | null; port: number | null; version: string | null }): void;
  setLastSeen(seen: ReadonlyMap<string, number>): void;
  setCapabilities(hiveId: string, capabilities: Capabilities): void;
  remove(hiveId: string): void;
}

export function createHiveStore(db: Db, vault: Vault): HiveStore {
  return {
    load() {
      const facts = Map.groupBy(db.select().from(models).all(), (row) => row.hiveId);
      return db
        .select()
        .from(hives)
        .all()
        .map(({ sealedToken, capabilities, ...row }) => ({
          ...row,
          token: vault.open(sealedToken),
          capabilities:
            capabilities === null
              ? null
              : { ...capabilities, models: (facts.get(row.hiveId) ?? []).map((model) => model.facts) },
        }));
    },
    save(hive) {
      const { hiveId, name, enrolment, host, port, version, createdAt, lastSeenAt } = hive;
      const sealedToken = vault.seal(hive.token);
      const row = { hiveId, name, enrolment, sealedToken, host, port, version, createdAt, lastSeenAt };
      db.insert(hives).values(row).onConflictDoUpdate({ target: hives.hiveId, set: row }).run();
    },
    setContact(hiveId, contact) {
      db.update(hives).set(contact).where(eq(hives.hiveId, hiveId)).run();
    },
    setLastSeen(seen) {
      db.transaction((tx) => {
        for (const [hiveId, lastSeenAt] of seen)
          tx.update(hives).set({ lastSeenAt }).where(eq(hives.hiveId, hiveId)).run();
      });
    },
    setCapabilities(hiveId, { models: list, ...capabilities }) {
      db.transaction((tx) => {
        tx.update(hives).set({ capabilities }).where(eq(hives.hiveId, hiveId)).run();
        tx.delete(models).where(eq(models.hiveId, hiveId)).run();
        for (const facts of list) tx.insert(models).values({ hiveId, modelId: facts.id, facts }).run();
      });
    },
    remove(hiveId) {
      db.delete(hives).where(eq(hives.hiveId, hiveId)).run();
    },
  };
}
