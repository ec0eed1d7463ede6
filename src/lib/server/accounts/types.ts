import type {
  ApiKey,
  Invitation,
  Lane,
  Role,
  Session,
  User,
  invitationCreatedSchema,
  invitationRequestSchema,
  keyCreatedSchema,
  keyRequestSchema,
} from "@rbee/contract";
import type * as z from "zod";

/** Who makes a request, and by what right. */
export interface Person {
  readonly user: User;
  /** A browser's session, an API key, or the local token of the queen's own machine. */
  readonly via: "session" | "key" | "local";
  /** Public handle of the session, never its secret. */
  readonly sessionId: string | null;
  readonly keyId: string | null;
  /** Where requests with this API key wait unless they say otherwise. */
  readonly lane: Lane | null;
}

/** Where a request comes from. */
export interface ClientInfo {
  readonly address: string;
  readonly userAgent: string | null;
  /** From this very machine, and not passed on by a proxy. */
  readonly loopback: boolean;
}

export interface SessionCookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: {
    readonly path: "/";
    readonly httpOnly: true;
    readonly sameSite: "lax";
    readonly expires: Date;
  };
}

/** A fresh session; routes set the cookie and add `secure` on https. */
export interface SignedIn {
  readonly user: User;
  readonly cookie: SessionCookie;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

export interface Accounts {
  isSetUp(): boolean;
  /** False for a browser on the queen's own machine. */
  needsSetupCode(client: ClientInfo): boolean;
  /** @throws {RbeeError} `forbidden` on a wrong code, `rate_limited`, `already_exists` when set up, `invalid_request`. */
  setUp(input: Credentials & { readonly setupCode?: string | undefined }, client: ClientInfo): Promise<SignedIn>;
  /** @throws {RbeeError} `invalid_api_key` when name or password is wrong, `rate_limited` with `retryAfterS`. */
  signIn(input: Credentials, client: ClientInfo): Promise<SignedIn>;
  signOut(person: Person): void;
  readonly users: {
    list(): User[];
    /** @throws {RbeeError} `not_found`; `forbidden` when it would leave no administrator. */
    update(actor: Person, id: string, input: { readonly role: Role }): User;
    /** @throws {RbeeError} `not_found`; `forbidden` when it would leave no administrator. */
    remove(actor: Person, id: string): void;
  };
  readonly invitations: {
    list(): Invitation[];
    create(actor: Person, input: z.output<typeof invitationRequestSchema>): z.infer<typeof invitationCreatedSchema>;
    /** @throws {RbeeError} `not_found`. */
    revoke(id: string): void;
    /** What an invitation offers; null when it is unknown, used, revoked or expired. */
    peek(code: string): { role: Role; expires_at: number; invited_by: string } | null;
    /** @throws {RbeeError} `not_found` for an invitation that cannot be used, `already_exists`, `invalid_request`, `rate_limited`. */
    accept(code: string, input: Credentials, client: ClientInfo): Promise<SignedIn>;
  };
  readonly keys: {
    /** Your keys; an administrator sees everybody's. */
    list(person: Person): ApiKey[];
    create(person: Person, input: z.output<typeof keyRequestSchema>): z.infer<typeof keyCreatedSchema>;
    /** @throws {RbeeError} `not_found`, also for somebody else's key unless an administrator asks. */
    revoke(person: Person, id: string): void;
  };
  readonly sessions: {
    list(person: Person): Session[];
    /** @throws {RbeeError} `not_found`, also for somebody else's session. */
    revoke(person: Person, id: string): void;
  };
}
