import { randomUUID } from "node:crypto";
import { parseInput, passwordSchema, RbeeError, userNameSchema, type Role, type User } from "@rbee/contract";
import { and, asc, count, eq, ne } from "drizzle-orm";
import * as z from "zod";
import { tables, type Db } from "#lib/server/db/index.ts";
import { requireAdmin } from "./guards.ts";
import { hashPassword } from "./passwords.ts";
import type { Accounts, Credentials } from "./types.ts";

const { users } = tables;
const credentialsSchema = z.object({ name: userNameSchema, password: passwordSchema });

export type UserRow = typeof users.$inferSelect;

/** Names are compared without case and in one Unicode form, so that nobody can pass for somebody else by capitals. */
export const nameKey = (name: string): string => name.trim().normalize("NFKC").toLowerCase();

export function toUser(row: UserRow): User {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    created_at: row.createdAt,
    last_seen_at: row.lastSeenAt,
  };
}

/** A new account, hashed but not yet stored, so that storing it can be one synchronous transaction with its reason. */
export interface PreparedUser {
  readonly row: UserRow;
}

export interface People {
  readonly api: Accounts["users"];
  /** @throws {RbeeError} `invalid_request` naming the field. */
  prepare(input: Credentials, role: Role): Promise<PreparedUser>;
  /** @throws {RbeeError} `already_exists` when the name is taken. */
  insert(prepared: PreparedUser): User;
  byName(name: string): UserRow | undefined;
  firstAdmin(): User | undefined;
  count(): number;
}

/** `changed` is called whenever somebody was added, removed or given another role. */
export function createPeople(db: Db, now: () => number, changed: () => void): People {
  const find = (id: string): UserRow => {
    const row = db.select().from(users).where(eq(users.id, id)).get();
    if (row === undefined) throw new RbeeError("not_found", "There is no such person.");
    return row;
  };
  const mustStayAdministered = (id: string) => {
    const others = db
      .select({ n: count() })
      .from(users)
      .where(and(eq(users.role, "admin"), ne(users.id, id)))
      .get();
    if ((others?.n ?? 0) === 0)
      throw new RbeeError("forbidden", "The last administrator must stay one.", {
        suggestion: "Make somebody else an administrator first.",
      });
  };
  const oldestAdmin = db
    .select()
    .from(users)
    .where(eq(users.role, "admin"))
    .orderBy(asc(users.createdAt))
    .limit(1)
    .prepare();
  const byName = (name: string) =>
    db
      .select()
      .from(users)
      .where(eq(users.nameKey, nameKey(name)))
      .get();

  return {
    api: {
      list: () => db.select().from(users).orderBy(asc(users.createdAt)).all().map(toUser),
      update(actor, id, { role }) {
        requireAdmin(actor);
        const user = db.transaction((tx) => {
          const row = find(id);
          if (row.role === "admin" && role !== "admin") mustStayAdministered(id);
          tx.update(users).set({ role }).where(eq(users.id, id)).run();
          return toUser({ ...row, role });
        });
        changed();
        return user;
      },
      remove(actor, id) {
        requireAdmin(actor);
        db.transaction((tx) => {
          if (find(id).role === "admin") mustStayAdministered(id);
          tx.delete(users).where(eq(users.id, id)).run();
        });
        changed();
      },
    },
    async prepare(input, role) {
      const { name, password } = parseInput(credentialsSchema, input);
      return {
        row: {
          id: randomUUID(),
          name,
          nameKey: nameKey(name),
          passwordHash: await hashPassword(password),
          role,
          createdAt: now(),
          lastSeenAt: null,
        },
      };
    },
    insert({ row }) {
      if (byName(row.name) !== undefined)
        throw new RbeeError("already_exists", `The name ${row.name} is taken.`, { param: "name" });
      db.insert(users).values(row).run();
      changed();
      return toUser(row);
    },
    byName,
    firstAdmin() {
      const row = oldestAdmin.get();
      return row === undefined ? undefined : toUser(row);
    },
    count: () => db.select({ n: count() }).from(users).get()?.n ?? 0,
  };
}
