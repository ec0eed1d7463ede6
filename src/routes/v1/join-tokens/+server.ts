import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listJoinTokens", ({ queen }) => ({ data: queen.hives.joinTokens.list() }));

export const POST = endpoint("createJoinToken", ({ queen, body, url }) =>
  queen.hives.joinTokens.create(body, queen.household.apiUrl(url.origin)),
);
