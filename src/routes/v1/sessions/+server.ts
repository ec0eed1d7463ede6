import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listSessions", ({ queen, person }) => ({ data: queen.accounts.sessions.list(person) }));
