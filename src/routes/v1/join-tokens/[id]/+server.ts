import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("revokeJoinToken", ({ queen, params }) => {
  queen.hives.joinTokens.revoke(params.id);
});
