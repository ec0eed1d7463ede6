import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("nearbyMachines", ({ queen }) => ({ data: queen.machines.nearby() }));
