import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listBeehives", ({ queen }) => ({ data: queen.machines.beehives.list() }));
