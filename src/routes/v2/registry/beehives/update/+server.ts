import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("updateBeehive", ({ queen, body, signal }) =>
  queen.machines.beehives.update(body, signal),
);
