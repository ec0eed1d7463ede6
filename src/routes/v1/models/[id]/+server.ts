import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("getModel", ({ queen, person, params }) => queen.inference.model(person, params.id));
