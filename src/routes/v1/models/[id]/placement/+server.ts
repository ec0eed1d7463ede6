import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("explainModel", ({ queen, person, params, query }) =>
  queen.inference.explain(person, params.id, query),
);
