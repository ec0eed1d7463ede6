import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("hubRepository", ({ queen, params, query, signal }) =>
  queen.hub.repository({ repository: `${params.owner}/${params.name}`, ...query }, signal),
);
