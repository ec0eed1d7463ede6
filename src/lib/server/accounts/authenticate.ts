import { RbeeError, type User } from "@rbee/contract";
import { sameSecret } from "#lib/server/secrets/index.ts";
import { keyStart, type Keys } from "./keys.ts";
import type { Sessions } from "./sessions/index.ts";
import type { ClientInfo, Person, SessionCookie } from "./types.ts";

/** What a request's credentials prove. */
export interface Authentication {
  readonly person: Person | null;
  /** Why credentials that were sent do not count; null when they do, or when there are none. */
  readonly refusal: RbeeError | null;
  /** A session cookie whose life was just extended, to be sent back. */
  readonly renewed: SessionCookie | null;
}

export interface PresentedCredentials {
  /** Value of the `Authorization` header. */
  readonly authorization: string | null;
  /** Value of the `x-api-key` header. */
  readonly apiKey: string | null;
  /** Value of the session cookie. */
  readonly session: string | undefined;
}

/** Never throws for bad credentials: guards decide what a request without a person may do. */
export type Authenticator = (credentials: PresentedCredentials, client: ClientInfo) => Promise<Authentication>;

const nobody: Authentication = { person: null, refusal: null, renewed: null };
const refused = (message: string, suggestion?: string): Authentication => ({
  ...nobody,
  refusal: new RbeeError("invalid_api_key", message, { suggestion }),
});

/** The token of an `Authorization: Bearer` header; null for other schemes and for none. */
export function bearerToken(authorization: string | null): string | null {
  return /^Bearer +(\S+) *$/iu.exec(authorization ?? "")?.[1] ?? null;
}

export function createAuthenticator(parts: {
  sessions: Sessions;
  keys: Keys;
  firstAdmin: () => User | undefined;
  localToken: string;
}): Authenticator {
  const { sessions, keys, firstAdmin, localToken } = parts;

  const byLocalToken = (client: ClientInfo): Authentication => {
    if (!client.loopback) return refused("The local token counts on the queen's own machine only.");
    const user = firstAdmin();
    if (user === undefined)
      return refused("This household has no administrator yet.", "Finish the set-up in the dashboard first.");
    return { ...nobody, person: { user, via: "local", sessionId: null, keyId: null, lane: null } };
  };

  const byToken = (token: string, client: ClientInfo): Authentication => {
    const found = token.startsWith(keyStart) ? keys.check(token) : null;
    if (found === null && sameSecret(token, localToken)) return byLocalToken(client);
    if (found === null)
      return refused("This API key is unknown, revoked or expired.", "Make a new one in the dashboard under Keys.");
    const { user, keyId, lane } = found;
    return { ...nobody, person: { user, via: "key", sessionId: null, keyId, lane } };
  };

  return async ({ authorization, apiKey, session }, client) => {
    const token = bearerToken(authorization) ?? apiKey;
    if (token !== null) return byToken(token, client);
    if (authorization !== null) return refused("Only `Authorization: Bearer` is understood here.");
    if (session === undefined || session === "") return nobody;
    const valid = await sessions.validate(session);
    if (valid === null) return refused("This session has ended.", "Sign in again.");
    return {
      ...nobody,
      person: { user: valid.user, via: "session", sessionId: valid.handle, keyId: null, lane: null },
      renewed: valid.renewed,
    };
  };
}
