import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listUsage", ({ queen, person, query }) => ({ data: queen.usage.list(person, query) }));
