import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("getResponse", ({ queen, person, params }) => queen.dialects.response(person, params.id));

export const DELETE = endpoint("deleteResponse", ({ queen, person, params }) => {
  queen.dialects.forgetResponse(person, params.id);
});
