import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listWorkers", ({ queen, person }) => ({ data: queen.hives.workers.list(person) }));
