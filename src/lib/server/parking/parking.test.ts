import { describe, expect, it } from "vitest";
import { createAccounts } from "#lib/server/accounts/index.ts";
import { tables } from "#lib/server/db/index.ts";
import { createVault } from "#lib/server/secrets/index.ts";
import { person, temporaryDatabase, testClock } from "#lib/server/testing/index.ts";
import { createParkingKeys } from "./index.ts";

async function household() {
  const db = temporaryDatabase();
  const accounts = createAccounts({ db, localToken: "rbeelocal_x", now: testClock().now });
  await accounts.provision({ name: "Ada", password: "correct horse battery" });
  const [ada] = accounts.users.list();
  if (ada === undefined) throw new Error("nobody is there");
  return { db, ada, keys: createParkingKeys({ db, vault: createVault(Buffer.alloc(32, 7)) }) };
}

describe("parking keys", () => {
  it("are 256 bits, the same at each request, and not in the database", async () => {
    const { db, ada, keys } = await household();
    const key = keys.of(ada.id) ?? "";
    expect(key).toMatch(/^[\w-]{43}$/u);
    expect(keys.of(ada.id)).toBe(key);
    const [row] = db.select().from(tables.parkingKeys).all();
    expect(row?.sealedKey.includes(key)).toBe(false);
    expect(row?.sealedKey.includes(Buffer.from(key, "base64url"))).toBe(false);
  });

  it("go with their person, and strangers have none", async () => {
    const { db, ada, keys } = await household();
    keys.of(ada.id);
    db.delete(tables.users).run();
    expect(db.select().from(tables.parkingKeys).all()).toEqual([]);
    expect(keys.of(ada.id)).toBeNull();
    expect(keys.of(person().user.id)).toBeNull();
  });
});
