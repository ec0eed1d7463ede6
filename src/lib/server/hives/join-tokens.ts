import { randomUUID } from "node:crypto";
import { RbeeError } from "@rbee/contract";
import { and, desc, eq, gt, sql } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import { fingerprint, randomSecret } from "#lib/server/secrets/index.ts";
import type { Hives, JoinToken } from "./types.ts";

const { joinTokens } = tables;

export interface JoinTokens {
  readonly api: Hives["joinTokens"];
  /** @throws {RbeeError} `invalid_api_key` when the token is unknown, used up or expired. */
  check(token: string): void;
  /** Takes one use, atomically. @throws {RbeeError} `invalid_api_key`. */
  use(token: string): void;
}

export function createJoinTokens(db: Db, now: () => number): JoinTokens {
  const usable = (token: string) =>
    and(eq(joinTokens.tokenHash, fingerprint(token)), gt(joinTokens.usesLeft, 0), gt(joinTokens.expiresAt, now()));
  const refuse = () => {
    throw new RbeeError("invalid_api_key", "This join token is unknown, used up or expired.", {
      suggestion: "Make a new one with `rbee hive token create`, or in the dashboard under Machines.",
    });
  };
  const toToken = (row: typeof joinTokens.$inferSelect): JoinToken => ({
    id: row.id,
    uses_left: row.usesLeft,
    expires_at: row.expiresAt,
    created_at: row.createdAt,
  });
  return {
    api: {
      list: () =>
        db
          .select()
          .from(joinTokens)
          .where(and(gt(joinTokens.usesLeft, 0), gt(joinTokens.expiresAt, now())))
          .orderBy(desc(joinTokens.createdAt))
          .all()
          .map(toToken),
      create(input, apiUrl) {
        const token = `rbeejoin_${randomSecret(24)}`;
        const row = {
          id: randomUUID(),
          tokenHash: fingerprint(token),
          usesLeft: input.uses,
          createdAt: now(),
          expiresAt: now() + input.expires_in_s * 1000,
        };
        db.insert(joinTokens).values(row).run();
        return { ...toToken(row), token, command: `rbee-hive --queen ${apiUrl} --join-token ${token}` };
      },
      revoke(id) {
        if (db.delete(joinTokens).where(eq(joinTokens.id, id)).run().changes === 0)
          throw new RbeeError("not_found", "There is no such join token.");
      },
    },
    check(token) {
      if (db.select({ id: joinTokens.id }).from(joinTokens).where(usable(token)).get() === undefined) refuse();
    },
    use(token) {
      const { changes } = db
        .update(joinTokens)
        .set({ usesLeft: sql`${joinTokens.usesLeft} - 1` })
        .where(usable(token))
        .run();
      if (changes === 0) refuse();
    },
  };
}
