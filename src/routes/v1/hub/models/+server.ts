import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("searchHub", async ({ queen, query, signal }) => ({
  data: await queen.hub.search(query, signal),
}));
