import { randomInt } from "node:crypto";
import { RbeeError, type User } from "@rbee/contract";
import type { Db } from "#lib/server/db/index.ts";
import { sameSecret } from "#lib/server/secrets/index.ts";
import { createAuthenticator, type Authenticator } from "./authenticate.ts";
import { createCredentialMemory, type CredentialMemory } from "./credential-memory.ts";
import { createInvitations } from "./invitations.ts";
import { createKeys } from "./keys.ts";
import { attemptLimit } from "#lib/server/limits/index.ts";
import { createPeople, nameKey, toUser } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createSessions } from "./sessions/index.ts";
import { verifyPassword } from "./passwords.ts";
import type { Accounts, ClientInfo, Credentials } from "./types.ts";

const presenceEveryMs = 10_000;
/** Without 0/O, 1/I/L and U, so that it can be read aloud. */
const codeAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ";

function newSetupCode(): string {
  const letters = Array.from({ length: 8 }, () => codeAlphabet[randomInt(codeAlphabet.length)]);
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

const plainCode = (code: string) => code.toUpperCase().replace(/[^0-9A-Z]/gu, "");

export interface AccountsOptions {
  db: Db;
  /** Makes its bearer the first administrator, from this machine only. */
  localToken: string;
  now: () => number;
  /** Where what was read of people and keys is remembered; its own when left out. */
  memory?: CredentialMemory;
}

/** The accounts of the household, with what only the queen itself calls. */
export interface AccountsService extends Accounts {
  readonly authenticator: Authenticator;
  /** Name of a key for the usage log; null when it is gone. */
  keyName(keyId: string): string | null;
  /** The code for the first run; null once there is an administrator. */
  setupCode(): string | null;
  /** The unattended first run. Does nothing when the household is set up. @throws {RbeeError} `invalid_request`. */
  provision(admin: Credentials): Promise<void>;
  start(): void;
  stop(): void;
}

export function createAccounts({
  db,
  localToken,
  now,
  memory = createCredentialMemory(),
}: AccountsOptions): AccountsService {
  const people = createPeople(db, now, memory.forget);
  const presence = createPresence(db, now, memory.forget);
  const sessions = createSessions(db, presence, now);
  const keys = createKeys(db, presence, memory, now);
  const firstAdmin = memory.shelf<User>();
  const invitations = createInvitations(db, people, now);
  const code = newSetupCode();
  const tenMinutes = { windowS: 600 };
  const limits = {
    signInByName: attemptLimit({ attempts: 10, ...tenMinutes, what: "sign in" }),
    signInByAddress: attemptLimit({ attempts: 20, ...tenMinutes, what: "sign in" }),
    setup: attemptLimit({ attempts: 10, ...tenMinutes, what: "set rbee up" }),
    invitation: attemptLimit({ attempts: 30, ...tenMinutes, what: "use an invitation" }),
  };
  let timer: NodeJS.Timeout | undefined;

  let setUp = false;
  // Asked at every request; there is always an administrator from the first one on.
  const isSetUp = () => (setUp ||= people.count() > 0);
  const needsSetupCode = (client: ClientInfo) => !isSetUp() && !client.loopback;
  const alreadySetUp = () =>
    new RbeeError("already_exists", "This household is set up already.", { suggestion: "Sign in instead." });

  return {
    authenticator: createAuthenticator({
      sessions,
      keys,
      firstAdmin: () => firstAdmin.recall("", people.firstAdmin),
      localToken,
    }),
    isSetUp,
    needsSetupCode,
    keyName: (keyId) => keys.nameOf(keyId),
    setupCode: () => (isSetUp() ? null : code),
    async setUp({ name, password, setupCode }, client) {
      if (isSetUp()) throw alreadySetUp();
      if (needsSetupCode(client)) {
        await limits.setup.attempt(client.address);
        if (!sameSecret(plainCode(setupCode ?? ""), plainCode(code)))
          throw new RbeeError("forbidden", "The setup code is wrong.", {
            param: "setupCode",
            suggestion: "It stands in the terminal where rbee was started.",
          });
      }
      const prepared = await people.prepare({ name, password }, "admin");
      // Hashing took a while: two people may both have come this far.
      const user = db.transaction(() => {
        if (isSetUp()) throw alreadySetUp();
        return people.insert(prepared);
      });
      return sessions.open(user, client);
    },
    async provision(admin) {
      if (isSetUp()) return;
      people.insert(await people.prepare(admin, "admin"));
    },
    async signIn({ name, password }, client) {
      const key = nameKey(name).slice(0, 64);
      // Counted before the password is looked at, so that attempts made at the same moment cannot pass together.
      await limits.signInByAddress.attempt(client.address);
      await limits.signInByName.attempt(key);
      const row = people.byName(name);
      const right = await verifyPassword(row?.passwordHash, password.slice(0, 256));
      if (row === undefined || !right) throw new RbeeError("invalid_api_key", "Name or password is wrong.");
      await limits.signInByName.forget(key);
      await limits.signInByAddress.forget(client.address);
      return sessions.open(toUser(row), client);
    },
    signOut({ sessionId }) {
      if (sessionId !== null) sessions.close(sessionId);
    },
    users: {
      ...people.api,
      list() {
        presence.flush();
        return people.api.list();
      },
    },
    invitations: {
      ...invitations.api,
      async accept(invitation, input, client) {
        await limits.invitation.attempt(client.address);
        return sessions.open(await invitations.redeem(invitation, input), client);
      },
    },
    keys: keys.api,
    sessions: sessions.api,
    start() {
      void sessions.deleteExpired();
      timer = setInterval(() => {
        presence.flush();
      }, presenceEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
      presence.flush();
    },
  };
}
