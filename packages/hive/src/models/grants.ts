import { createHash, randomBytes } from "node:crypto";
import type { ModelGrant } from "@rbee/contract";
import type { Clock } from "../clock.ts";

const lifetimeMs = 60 * 60_000;
/** More at once than any household needs; the oldest go first. */
const mostGrants = 1_000;

const hashOf = (token: string) => createHash("sha256").update(token).digest("hex");

/**
 * Leave for other hives to fetch files of one model, for an hour. With it a hive's own token never leaves it; it is
 * worth nothing for any other model or purpose, and nothing at all once this hive has been started again.
 */
export class ModelGrants {
  readonly #clock: Clock;
  /** By the token's hash, so that looking one up takes no time that depends on the token. */
  readonly #grants = new Map<string, { readonly model: string; readonly expiresAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(model: string): Pick<ModelGrant, "model" | "token" | "expires_at"> {
    this.#prune();
    const token = randomBytes(32).toString("base64url");
    const expiresAt = this.#clock.now() + lifetimeMs;
    this.#grants.set(hashOf(token), { model, expiresAt });
    return { model, token, expires_at: expiresAt };
  }

  /** Whether what came as `Authorization` gives leave for this model now. */
  allows(authorization: string | undefined, model: string): boolean {
    const token = /^bearer +(\S+) *$/iu.exec(authorization ?? "")?.[1];
    if (token === undefined) return false;
    const grant = this.#grants.get(hashOf(token));
    return grant !== undefined && grant.model === model && this.#clock.now() < grant.expiresAt;
  }

  #prune(): void {
    const now = this.#clock.now();
    for (const [hash, { expiresAt }] of this.#grants)
      if (expiresAt <= now || this.#grants.size >= mostGrants) this.#grants.delete(hash);
  }
}
