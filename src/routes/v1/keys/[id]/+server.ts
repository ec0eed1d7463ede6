import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("revokeKey", ({ queen, person, params }) => {
  queen.accounts.keys.revoke(person, params.id);
});
