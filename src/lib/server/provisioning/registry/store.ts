import type { Beehive, InstallMethod } from "@rbee/contract";
import { asc, eq } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";

const { beehives } = tables;
type Row = typeof beehives.$inferSelect;

/** A machine as it is remembered. */
export interface BeehiveRecord {
  readonly name: string;
  readonly target: string;
  readonly hivePort: number;
  readonly autoStart: boolean;
  readonly installMethod: InstallMethod;
  readonly hiveId: string | null;
}

/** The table of machines: plain reading and writing; who may do what is decided above it. */
export interface BeehiveStore {
  /** By name. */
  list(): Beehive[];
  find(name: string): Beehive | undefined;
  findByTarget(target: string): Beehive | undefined;
  findByHive(hiveId: string): Beehive | undefined;
  /** Adds a machine, or overwrites the one of this name. Throws when another one has the target. */
  save(record: BeehiveRecord): Beehive;
  /** Overwrites the machine of this name, which may get another one; says whether there was one. */
  replace(name: string, record: BeehiveRecord): boolean;
  /** Says whether there was one. */
  remove(name: string): boolean;
}

function fromRow({ hivePort, autoStart, installMethod, hiveId, createdAt, updatedAt, ...row }: Row): Beehive {
  return {
    ...row,
    hive_port: hivePort,
    auto_start: autoStart,
    install_method: installMethod,
    hive_id: hiveId,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}

export function createBeehiveStore(db: Db, now: () => number): BeehiveStore {
  const find = (name: string) => {
    const row = db.select().from(beehives).where(eq(beehives.name, name)).get();
    return row === undefined ? undefined : fromRow(row);
  };
  const firstWhere = (condition: ReturnType<typeof eq>) => {
    const row = db.select().from(beehives).where(condition).get();
    return row === undefined ? undefined : fromRow(row);
  };
  return {
    list: () => db.select().from(beehives).orderBy(asc(beehives.name)).all().map(fromRow),
    find,
    findByTarget: (target) => firstWhere(eq(beehives.target, target)),
    findByHive: (hiveId) => firstWhere(eq(beehives.hiveId, hiveId)),
    save(record) {
      const ts = now();
      return fromRow(
        db
          .insert(beehives)
          .values({ ...record, createdAt: ts, updatedAt: ts })
          .onConflictDoUpdate({ target: beehives.name, set: { ...record, updatedAt: ts } })
          .returning()
          .get(),
      );
    },
    replace: (name, record) =>
      db
        .update(beehives)
        .set({ ...record, updatedAt: now() })
        .where(eq(beehives.name, name))
        .run().changes > 0,
    remove: (name) => db.delete(beehives).where(eq(beehives.name, name)).run().changes > 0,
  };
}
