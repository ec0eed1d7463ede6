export { createAccounts, type AccountsService } from "./accounts.ts";
export { bearerToken, type Authentication } from "./authenticate.ts";
export { createCredentialMemory, type CredentialMemory } from "./credential-memory.ts";
export { requireAdmin, requirePerson } from "./guards.ts";
export { sessionCookieName } from "./sessions/index.ts";
export type * from "./types.ts";
