import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("removeBeehive", ({ queen, params }) => {
  queen.machines.beehives.remove(params.name);
});
