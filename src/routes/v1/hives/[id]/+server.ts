import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("getHive", ({ queen, person, params }) => queen.hives.get(person, params.id));

export const DELETE = endpoint("removeHive", ({ queen, person, params }) => {
  queen.hives.remove(person, params.id);
});
