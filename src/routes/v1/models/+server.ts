import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listModels", ({ queen, person }) => queen.inference.models(person));
