import { randomUUID } from "node:crypto";
import { RbeeError, type Invitation, type User } from "@rbee/contract";
import { and, desc, eq, gt, isNull } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import { fingerprint, randomSecret } from "#lib/server/secrets/index.ts";
import { requireAdmin } from "./guards.ts";
import type { People } from "./people.ts";
import type { Accounts, Credentials } from "./types.ts";

const { invitations } = tables;

type Row = typeof invitations.$inferSelect;

export interface Invitations {
  readonly api: Omit<Accounts["invitations"], "accept">;
  /** Makes the account that an invitation offers. @throws {RbeeError} `not_found`, `already_exists`, `invalid_request`. */
  redeem(code: string, input: Credentials): Promise<User>;
}

export function createInvitations(db: Db, people: People, now: () => number): Invitations {
  const toInvitation = (row: Row): Invitation => ({
    id: row.id,
    role: row.role,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    used_at: row.usedAt,
    used_by: row.usedBy,
  });
  const usable = (code: string) =>
    and(eq(invitations.codeHash, fingerprint(code)), isNull(invitations.usedAt), gt(invitations.expiresAt, now()));
  const spent = () =>
    new RbeeError("not_found", "This invitation is not valid any more.", {
      suggestion: "Ask the person who sent it for a new one.",
    });

  return {
    api: {
      list: () => db.select().from(invitations).orderBy(desc(invitations.createdAt)).all().map(toInvitation),
      create(actor, input) {
        requireAdmin(actor);
        const code = randomSecret(24);
        const row: Row = {
          id: randomUUID(),
          codeHash: fingerprint(code),
          role: input.role,
          invitedBy: actor.user.name,
          createdAt: now(),
          expiresAt: now() + input.expires_in_s * 1000,
          usedAt: null,
          usedBy: null,
        };
        db.insert(invitations).values(row).run();
        return { ...toInvitation(row), path: `/invite/${code}` };
      },
      revoke(id) {
        const { changes } = db.delete(invitations).where(eq(invitations.id, id)).run();
        if (changes === 0) throw new RbeeError("not_found", "There is no such invitation.");
      },
      peek(code) {
        const row = db.select().from(invitations).where(usable(code)).get();
        return row === undefined ? null : { role: row.role, expires_at: row.expiresAt, invited_by: row.invitedBy };
      },
    },
    async redeem(code, input) {
      const offer = db.select().from(invitations).where(usable(code)).get();
      if (offer === undefined) throw spent();
      const prepared = await people.prepare(input, offer.role);
      // Hashing took a while: whether the invitation is still unused is decided in the same step that uses it.
      return db.transaction((tx) => {
        const user = people.insert(prepared);
        const { changes } = tx.update(invitations).set({ usedAt: now(), usedBy: user.name }).where(usable(code)).run();
        if (changes === 0) throw spent();
        return user;
      });
    },
  };
}
