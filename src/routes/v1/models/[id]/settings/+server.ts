import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("modelSettings", ({ queen, params }) => queen.models.settings(params.id));

export const PATCH = endpoint("updateModelSettings", ({ queen, person, params, body }) =>
  queen.models.update(person, params.id, body),
);
