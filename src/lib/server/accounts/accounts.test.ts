import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { tables } from "#lib/server/db/index.ts";
import { fromHere, fromLan, temporaryDatabase, testClock } from "#lib/server/testing/index.ts";
import type { PresentedCredentials } from "./authenticate.ts";
import { createAccounts, type Person, type SignedIn } from "./index.ts";

const ann = { name: "Ann", password: "correct horse" };
const ben = { name: "Ben", password: "battery staple" };
const nothing: PresentedCredentials = { authorization: null, apiKey: null, session: undefined };

function household() {
  const db = temporaryDatabase();
  const clock = testClock(Date.now());
  const accounts = createAccounts({ db, localToken: "rbeelocal_x", now: clock.now });
  const personOf = async ({ cookie }: SignedIn): Promise<Person> => {
    const { person } = await accounts.authenticator({ ...nothing, session: cookie.value }, fromLan);
    if (person === null) throw new Error("nobody is signed in");
    return person;
  };
  const asAdmin = async () => personOf(await accounts.setUp(ann, fromHere));
  return { db, clock, accounts, personOf, asAdmin };
}

const codeOf = (thrown: unknown) => (thrown instanceof RbeeError ? thrown.code : thrown);
const refusal = (promise: Promise<unknown>) => promise.then(() => "accepted", codeOf);

describe("the first run", () => {
  it("asks for the setup code, but not on the queen's own machine", async () => {
    const { accounts } = household();
    expect(accounts.needsSetupCode(fromLan)).toBe(true);
    expect(accounts.needsSetupCode(fromHere)).toBe(false);
    expect(await refusal(accounts.setUp(ann, fromLan))).toBe("forbidden");
    expect(await refusal(accounts.setUp({ ...ann, setupCode: "AAAA-AAAA" }, fromLan))).toBe("forbidden");
    const setupCode = accounts.setupCode()?.toLowerCase().replace("-", " ");
    expect((await accounts.setUp({ ...ann, setupCode }, fromLan)).user).toMatchObject({ name: "Ann", role: "admin" });
  });

  it("happens once, also when two people try at the same moment", async () => {
    const { accounts } = household();
    const both = await Promise.all([refusal(accounts.setUp(ann, fromHere)), refusal(accounts.setUp(ben, fromHere))]);
    expect(both.toSorted()).toEqual(["accepted", "already_exists"]);
    expect(accounts.setupCode()).toBeNull();
    expect(accounts.needsSetupCode(fromLan)).toBe(false);
  });

  it("does not let the code be guessed", async () => {
    const { accounts } = household();
    for (let n = 0; n < 10; n++) expect(await refusal(accounts.setUp(ann, fromLan))).toBe("forbidden");
    const right = accounts.setUp({ ...ann, setupCode: accounts.setupCode() ?? "" }, fromLan);
    expect(await refusal(right)).toBe("rate_limited");
  });

  it("refuses a short password by name of the field", async () => {
    const { accounts } = household();
    await expect(accounts.setUp({ name: "Ann", password: "short" }, fromHere)).rejects.toMatchObject({
      code: "invalid_request",
      param: "password",
    });
  });

  it("can be done unattended, and then changes nothing any more", async () => {
    const { accounts } = household();
    await accounts.provision(ann);
    await accounts.provision(ben);
    expect(accounts.users.list().map((user) => [user.name, user.role])).toEqual([["Ann", "admin"]]);
  });
});

describe("signing in", () => {
  it("takes the name without case, and answers a wrong name and a wrong password alike", async () => {
    const { accounts, asAdmin } = household();
    await asAdmin();
    expect((await accounts.signIn({ ...ann, name: "aNN" }, fromLan)).user.name).toBe("Ann");
    const wrong = (input: typeof ann) => accounts.signIn(input, fromLan).catch((error: unknown) => String(error));
    expect(await wrong({ ...ann, password: "wrong wrong" })).toBe(await wrong({ ...ann, name: "Nobody" }));
  });

  it("is limited per account, and says when to come back", async () => {
    const { accounts, asAdmin } = household();
    await asAdmin();
    const tries = await Promise.all(
      Array.from({ length: 15 }, (_, n) =>
        accounts
          .signIn({ ...ann, password: "wrong wrong" }, { ...fromLan, address: `10.0.0.${n}` })
          .catch((error: unknown) => error),
      ),
    );
    const limited = tries.filter((error) => codeOf(error) === "rate_limited");
    expect(limited).toHaveLength(5);
    expect((limited[0] as RbeeError).retryAfterS).toBeGreaterThan(0);
    expect(await refusal(accounts.signIn(ann, fromLan))).toBe("rate_limited");
  });

  it("is limited per address over all names", async () => {
    const { accounts, asAdmin } = household();
    await asAdmin();
    const tries = await Promise.all(
      Array.from({ length: 25 }, (_, n) => refusal(accounts.signIn({ ...ann, name: `x${n}` }, fromLan))),
    );
    expect(tries.filter((code) => code === "rate_limited")).toHaveLength(5);
    expect(await refusal(accounts.signIn(ann, { ...fromLan, address: "10.9.9.9" }))).toBe("accepted");
  });
});

describe("sessions", () => {
  it("are not in the database in a form that signs anybody in", async () => {
    const { accounts, db } = household();
    const { cookie } = await accounts.setUp(ann, fromHere);
    expect(JSON.stringify(db.select().from(tables.sessions).all())).not.toContain(cookie.value);
  });

  it("end when they are revoked or signed out, and only by their owner", async () => {
    const { accounts, personOf, asAdmin } = household();
    const admin = await asAdmin();
    const other = await accounts.signIn(ann, fromLan);
    const second = await personOf(other);
    expect(
      accounts.sessions
        .list(admin)
        .map(({ current }) => current)
        .toSorted(),
    ).toEqual([false, true]);
    const invited = accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
    const member = await personOf(await accounts.invitations.accept(invited.path.slice(8), ben, fromLan));
    expect(() => {
      accounts.sessions.revoke(member, second.sessionId ?? "");
    }).toThrow(/no such session/u);
    accounts.sessions.revoke(admin, second.sessionId ?? "");
    expect((await accounts.authenticator({ ...nothing, session: other.cookie.value }, fromLan)).person).toBeNull();
    accounts.signOut(admin);
    expect(accounts.sessions.list(admin)).toEqual([]);
  });
});

describe("invitations", () => {
  it("make one account each, also for two people at once", async () => {
    const { accounts, asAdmin } = household();
    const { path, id } = accounts.invitations.create(await asAdmin(), { role: "member", expires_in_s: 600 });
    const code = path.slice("/invite/".length);
    expect(accounts.invitations.peek(code)).toMatchObject({ role: "member", invited_by: "Ann" });
    const both = await Promise.all([
      refusal(accounts.invitations.accept(code, ben, fromLan)),
      refusal(accounts.invitations.accept(code, { ...ben, name: "Cleo" }, fromLan)),
    ]);
    expect(both.toSorted()).toEqual(["accepted", "not_found"]);
    expect(accounts.users.list()).toHaveLength(2);
    expect(accounts.invitations.peek(code)).toBeNull();
    expect(accounts.invitations.list()[0]).toMatchObject({ id, used_by: expect.any(String) as string });
  });

  it("stay usable when the name is taken, and end when they expire or are revoked", async () => {
    const { accounts, asAdmin, clock } = household();
    const admin = await asAdmin();
    const invite = () => accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
    const first = invite();
    const code = first.path.slice(8);
    expect(await refusal(accounts.invitations.accept(code, { ...ben, name: "ANN" }, fromLan))).toBe("already_exists");
    expect(accounts.invitations.peek(code)).not.toBeNull();
    accounts.invitations.revoke(first.id);
    expect(await refusal(accounts.invitations.accept(code, ben, fromLan))).toBe("not_found");
    const second = invite().path.slice(8);
    clock.advance(601_000);
    expect(await refusal(accounts.invitations.accept(second, ben, fromLan))).toBe("not_found");
  });
});

describe("API keys", () => {
  it("work in both headers until they are revoked or expire, and are stored hashed", async () => {
    const { accounts, asAdmin, clock, db } = household();
    const admin = await asAdmin();
    const { key, id } = accounts.keys.create(admin, { name: "laptop", expires_in_s: 60 });
    expect(key).toMatch(/^rbee_/u);
    expect(JSON.stringify(db.select().from(tables.apiKeys).all())).not.toContain(key);
    const check = async (credentials: Partial<PresentedCredentials>) =>
      (await accounts.authenticator({ ...nothing, ...credentials }, fromLan)).person;
    expect(await check({ authorization: `Bearer ${key}` })).toMatchObject({ via: "key", keyId: id });
    expect(await check({ apiKey: key })).toMatchObject({ user: { name: "Ann" } });
    expect(accounts.keys.list(admin)[0]?.last_used_at).toBe(clock.now());
    clock.advance(61_000);
    expect(await check({ apiKey: key })).toBeNull();
    const lasting = accounts.keys.create(admin, { name: "phone" });
    accounts.keys.revoke(admin, lasting.id);
    expect(await check({ apiKey: lasting.key })).toBeNull();
  });

  it("bring the lane they were made for, in each request", async () => {
    const { accounts, asAdmin } = household();
    const admin = await asAdmin();
    const nightly = accounts.keys.create(admin, { name: "nightly", lane: "batch" });
    const laptop = accounts.keys.create(admin, { name: "laptop" });
    const lane = async (key: string) =>
      (await accounts.authenticator({ ...nothing, apiKey: key }, fromLan)).person?.lane;
    expect([await lane(nightly.key), await lane(nightly.key), await lane(laptop.key)]).toEqual([
      "batch",
      "batch",
      null,
    ]);
    expect(
      accounts.keys
        .list(admin)
        .map(({ name, lane: of }) => `${name} ${of}`)
        .toSorted(),
    ).toEqual(["laptop null", "nightly batch"]);
    expect(admin.lane).toBeNull();
  });

  it("that were used before count no longer than what they rest on", async () => {
    const { accounts, asAdmin, personOf, clock } = household();
    const admin = await asAdmin();
    const invite = async (member: typeof ben) => {
      const { path } = accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
      return personOf(await accounts.invitations.accept(path.slice(8), member, fromLan));
    };
    const use = async (key: string) => {
      const { person } = await accounts.authenticator({ ...nothing, apiKey: key }, fromLan);
      return person?.user.role ?? null;
    };
    const member = await invite(ben);
    const kept = accounts.keys.create(member, { name: "kept" });
    const brief = accounts.keys.create(member, { name: "brief", expires_in_s: 60 });
    const revoked = accounts.keys.create(member, { name: "revoked" });
    for (const { key } of [kept, brief, revoked, kept, brief, revoked]) expect(await use(key)).toBe("member");
    clock.advance(60_000);
    expect(await use(brief.key)).toBeNull();
    accounts.keys.revoke(member, revoked.id);
    expect([await use(revoked.key), accounts.keyName(revoked.id)]).toEqual([null, null]);
    accounts.users.update(admin, member.user.id, { role: "admin" });
    expect(await use(kept.key)).toBe("admin");
    accounts.users.update(admin, member.user.id, { role: "member" });
    expect(await use(kept.key)).toBe("member");
    accounts.users.remove(admin, member.user.id);
    expect(await use(kept.key)).toBeNull();
  });

  it("of somebody else are invisible to a member", async () => {
    const { accounts, asAdmin, personOf } = household();
    const admin = await asAdmin();
    const mine = accounts.keys.create(admin, { name: "laptop" });
    const invited = accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
    const member = await personOf(await accounts.invitations.accept(invited.path.slice(8), ben, fromLan));
    expect(accounts.keys.list(member)).toEqual([]);
    expect(() => {
      accounts.keys.revoke(member, mine.id);
    }).toThrow(/no such API key/u);
    accounts.keys.create(member, { name: "phone" });
    expect(accounts.keys.list(admin)).toHaveLength(2);
  });
});

describe("the local token", () => {
  const local = { ...nothing, authorization: "Bearer rbeelocal_x" };

  it("is the administrator on this machine only, and says when there is none", async () => {
    const { accounts, asAdmin } = household();
    expect((await accounts.authenticator(local, fromHere)).refusal?.suggestion).toMatch(/set-up/u);
    await asAdmin();
    expect((await accounts.authenticator(local, fromHere)).person).toMatchObject({
      via: "local",
      user: { name: "Ann" },
    });
    const elsewhere = await accounts.authenticator(local, fromLan);
    expect([elsewhere.person, elsewhere.refusal?.code]).toEqual([null, "invalid_api_key"]);
  });

  it("is another administrator once the first is none any more", async () => {
    const { accounts, asAdmin, personOf } = household();
    const admin = await asAdmin();
    const { path } = accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
    const second = await personOf(await accounts.invitations.accept(path.slice(8), ben, fromLan));
    const whose = async () => (await accounts.authenticator(local, fromHere)).person?.user.name;
    expect(await whose()).toBe("Ann");
    accounts.users.update(admin, second.user.id, { role: "admin" });
    accounts.users.update(admin, admin.user.id, { role: "member" });
    expect(await whose()).toBe("Ben");
  });
});

describe("administrators", () => {
  it("never run out", async () => {
    const { accounts, asAdmin, personOf } = household();
    const admin = await asAdmin();
    const { id } = admin.user;
    expect(() => accounts.users.update(admin, id, { role: "member" })).toThrow(/last administrator/u);
    expect(() => {
      accounts.users.remove(admin, id);
    }).toThrow(/last administrator/u);
    const invited = accounts.invitations.create(admin, { role: "admin", expires_in_s: 600 });
    const second = await personOf(await accounts.invitations.accept(invited.path.slice(8), ben, fromLan));
    accounts.users.remove(second, id);
    expect(accounts.users.list().map((user) => user.name)).toEqual(["Ben"]);
  });

  it("alone change people", async () => {
    const { accounts, asAdmin, personOf } = household();
    const admin = await asAdmin();
    const invited = accounts.invitations.create(admin, { role: "member", expires_in_s: 600 });
    const member = await personOf(await accounts.invitations.accept(invited.path.slice(8), ben, fromLan));
    expect(() => accounts.users.update(member, member.user.id, { role: "admin" })).toThrow(/Only an administrator/u);
    expect(() => accounts.invitations.create(member, { role: "admin", expires_in_s: 600 })).toThrow(
      /Only an administrator/u,
    );
  });
});
