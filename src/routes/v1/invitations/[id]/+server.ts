import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("revokeInvitation", ({ queen, params }) => {
  queen.accounts.invitations.revoke(params.id);
});
