import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("revokeSession", ({ queen, person, params }) => {
  queen.accounts.sessions.revoke(person, params.id);
});
