import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("addBeehive", ({ queen, body, signal }) => queen.machines.beehives.add(body, signal));
