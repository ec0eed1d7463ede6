import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("hubStarters", ({ queen, query }) => ({ data: queen.hub.starters(query) }));
