import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listKeys", ({ queen, person }) => ({ data: queen.accounts.keys.list(person) }));

export const POST = endpoint("createKey", ({ queen, person, body }) => queen.accounts.keys.create(person, body));
