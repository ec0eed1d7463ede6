import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("queue", ({ queen, person }) => ({ data: queen.inference.queue(person) }));
