import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "#lib/server/testing/index.ts";
import { openDatabase, tables } from "./index.ts";

describe("the database", () => {
  it("gets every table in an empty folder", () => {
    const { db, close } = openDatabase(join(temporaryFolder(), "queen.db"));
    for (const table of [
      tables.users,
      tables.sessions,
      tables.apiKeys,
      tables.invitations,
      tables.joinTokens,
      tables.hives,
      tables.models,
      tables.usage,
      tables.jobs,
      tables.jobEvents,
      tables.household,
    ])
      expect(db.select().from(table).all()).toEqual([]);
    close();
  });

  it("keeps what it holds when it is opened again", () => {
    const file = join(temporaryFolder(), "queen.db");
    const first = openDatabase(file);
    first.db.insert(tables.household).values({ key: "name", value: "Attic" }).run();
    first.close();
    const second = openDatabase(file);
    expect(second.db.select().from(tables.household).all()).toEqual([{ key: "name", value: "Attic" }]);
    second.close();
  });

  it("forgets a person's keys and sessions with the person", () => {
    const { db, close } = openDatabase(join(temporaryFolder(), "queen.db"));
    const user = { id: "u", name: "Ann", nameKey: "ann", passwordHash: "x", role: "member" as const, createdAt: 0 };
    db.insert(tables.users).values(user).run();
    db.insert(tables.apiKeys)
      .values({ id: "k", userId: "u", name: "x", keyHash: "h", prefix: "p", createdAt: 0 })
      .run();
    db.delete(tables.users).run();
    expect(db.select().from(tables.apiKeys).all()).toEqual([]);
    close();
  });
});
