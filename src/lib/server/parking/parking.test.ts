import { describe, expect, it } from "vitest";
import { createAccounts, createCredentialMemory, type ClientInfo, type Person } from "#lib/server/accounts/index.ts";
import { tables } from "#lib/server/db/index.ts";
import { createVault } from "#lib/server/secrets/index.ts";
import { person, temporaryDatabase, testClock } from "#lib/server/testing/index.ts";
import { createParkingKeys } from "./index.ts";

const client: ClientInfo = { address: "127.0.0.1", userAgent: null, loopback: true };

async function household() {
  const db = temporaryDatabase();
  const memory = createCredentialMemory();
  const accounts = createAccounts({ db, localToken: "rbeelocal_x", now: testClock().now, memory });
  await accounts.provision({ name: "Ada", password: "correct horse battery" });
  const [ada] = accounts.users.list();
  if (ada === undefined) throw new Error("nobody is there");
  return { db, accounts, ada, keys: createParkingKeys({ db, vault: createVault(Buffer.alloc(32, 7)), memory }) };
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
    const { db, accounts, ada, keys } = await household();
    const actor: Person = { user: ada, via: "local", sessionId: null, keyId: null, lane: null };
    const { path } = accounts.invitations.create(actor, { role: "member", expires_in_s: 60 });
    const code = path.replace("/invite/", "");
    await accounts.invitations.accept(code, { name: "Ben", password: "correct horse battery" }, client);
    const ben = accounts.users.list().find(({ name }) => name === "Ben");
    if (ben === undefined) throw new Error("nobody came");
    expect(keys.of(ben.id)).not.toBeNull();
    accounts.users.remove(actor, ben.id);
    expect(db.select().from(tables.parkingKeys).all()).toEqual([]);
    expect(keys.of(ben.id)).toBeNull();
    expect(keys.of(person().user.id)).toBeNull();
  });
});
