import { endpoint } from "#lib/server/api/index.ts";

export const PATCH = endpoint("updateHousehold", ({ queen, body }) => {
  queen.household.rename(body.name);
  return { name: queen.household.name() };
});
