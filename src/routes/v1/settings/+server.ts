import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listSettings", ({ queen }) => ({ data: queen.settings.list() }));
