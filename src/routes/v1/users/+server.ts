import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listUsers", ({ queen }) => ({ data: queen.accounts.users.list() }));
