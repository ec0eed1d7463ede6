import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("ollamaTags", ({ queen }) => queen.dialects.ollamaTags());
