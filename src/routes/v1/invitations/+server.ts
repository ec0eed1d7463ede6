import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listInvitations", ({ queen }) => ({ data: queen.accounts.invitations.list() }));

export const POST = endpoint("createInvitation", ({ queen, person, body }) =>
  queen.accounts.invitations.create(person, body),
);
